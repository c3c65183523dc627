import { encode, type JobContext, reportKey } from "../../evaluation/context.ts";

export async function writeReport(context: JobContext): Promise<void> {
  await context.store.put(reportKey(context.job), encode("<html></html>"));
}
