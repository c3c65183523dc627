import { z } from "zod";
import { install } from "../evaluation/prepare.ts";
import type { InstallResult } from "./results.ts";
import type { Tool } from "./tool.ts";

const Arguments = z.strictObject({
  packages: z
    .array(z.string().min(1).max(200))
    .min(1)
    .max(30)
    .describe(
      "Names from the package index, with versions where they matter, such as lightgbm or xgboost==3.0.5.",
    ),
});

/** Resolves and locks the packages asked for so far, with these, on top of the base environment. Wheels only. */
export const installDependencies: Tool<z.infer<typeof Arguments>> = {
  name: "install_dependencies",
  description:
    "Adds Python packages to the environment, for this and all later runs and for the recipe. Wheels only; the versions of the packages that are already there do not change.",
  schema: Arguments,
  dependsOn: ["requested"],
  async run({ arguments: { packages }, context, workspace, label }) {
    const requested = [...new Set([...workspace.requested, ...packages.map((name) => name.trim())])].sort();
    const outcome = await install(context, label, requested);
    if (outcome.environment === undefined) {
      return {
        response: {
          ok: false,
          error: outcome.refusal?.message ?? "installing failed",
        } satisfies InstallResult,
      };
    }
    const installed = outcome.packages ?? [];
    return {
      response: { ok: true, installed } satisfies InstallResult,
      environment: { digest: outcome.environment, requested, packages: installed },
    };
  },
};
