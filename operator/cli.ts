#!/usr/bin/env node
/** The command line: the composition root of the embedded run. */
import module from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";
import { Command, CommanderError } from "commander";
import { EXIT, UsageError } from "./cli/exit.ts";

/** Loads a command when it is called, so that `--help` and bad input answer at once. */
async function main(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  let code: number = EXIT.ready;
  const program = new Command("autoai")
    .description("Turns a CSV and a target column into a verified model, on this machine.")
    .exitOverride()
    .configureHelp({ showGlobalOptions: true });
  const home = [
    "--home <folder>",
    "folder of the embedded runs (default: $AUTOAI_HOME or ~/.autoai)",
  ] as const;

  const operatorNamespace = [
    "--operator-namespace <namespace>",
    "where the operator is installed",
    "autoai-system",
  ] as const;
  const operatorService = ["--operator-service <name>", "Service of the operator", "autoai"] as const;
  const serviceAccount = [
    "--service-account <name>",
    "read as this ServiceAccount of the namespace: needed where your kubeconfig has a client certificate",
  ] as const;

  program
    .command("run")
    .description("train the jobs of a manifest; run again after an interruption, it goes on where it was")
    .requiredOption(
      "-f, --filename <file>",
      "manifest with TrainingJobs (YAML or JSON); - for standard input",
    )
    .option(...home)
    .option("--json", "print the finished TrainingJob, alone, on standard output")
    .option("--replace", "train anew where a job of the name exists")
    .option("--unsafe-no-sandbox", "let code written by an LLM run where bubblewrap is missing")
    .action(async (options) => {
      code = await (await import("./cli/run.ts")).run(options, env);
    });
  program
    .command("retrain")
    .description("train a job's recipe on new rows, scored, without an LLM")
    .argument("<job>", "name of a READY job")
    .requiredOption("--data <file>", "CSV with the same columns")
    .option("--name <name>", "name of the new job (default: <job>-2, -3, ...)")
    .option(...home)
    .option("--json", "print the finished TrainingJob, alone, on standard output")
    .option("--unsafe-no-sandbox", "let code written by an LLM run where bubblewrap is missing")
    .action(async (job, options) => {
      code = await (await import("./cli/retrain.ts")).retrain(job, options, env);
    });
  program
    .command("list")
    .description("list the jobs of the home")
    .option(...home)
    .option("--json", "as JSON")
    .action(async (options) => {
      code = await (await import("./cli/list.ts")).list(options, env);
    });
  program
    .command("inspect")
    .description("show a job's journal as a readable transcript; with -n, that of a job in the cluster")
    .argument("<job>")
    .option(...home)
    .option("-n, --namespace <namespace>", "the job is in this namespace of the cluster (kubeconfig)")
    .option("--json", "print the journal's entries, one JSON object a line")
    .option(...operatorNamespace)
    .option(...operatorService)
    .option(...serviceAccount)
    .action(async (job, options) => {
      code =
        options.namespace === undefined
          ? await (await import("./cli/inspect.ts")).inspect(job, options, env)
          : await (await import("./cli/logs.ts")).logs(job, options);
    });
  program
    .command("logs")
    .description("show what a job in the cluster did; -f follows it until it is over")
    .argument("<job>")
    .requiredOption("-n, --namespace <namespace>", "namespace of the job")
    .option("-f, --follow", "go on until the job is over; exit code 0 READY, 1 ERROR")
    .option("--json", "print the journal's entries, one JSON object a line")
    .option(...operatorNamespace)
    .option(...operatorService)
    .option(...serviceAccount)
    .action(async (job, options) => {
      code = await (await import("./cli/logs.ts")).logs(job, options);
    });
  program
    .command("predict")
    .description("predict rows with a READY job's model; CSV out")
    .argument("<job>")
    .requiredOption("--input <file>", "CSV with the feature columns")
    .option("--output <file>", "where to write the CSV (default: standard output)")
    .option(...home)
    .option("--unsafe-no-sandbox", "let code written by an LLM run where bubblewrap is missing")
    .action(async (job, options) => {
      code = await (await import("./cli/predict.ts")).predict(job, options, env);
    });
  program
    .command("serve")
    .description("serve a READY job's model over HTTP, until it is interrupted")
    .argument("<job>")
    .option(
      "--log <mode>",
      "prediction log: Off, Sampled, Background or Strict (on disk before the answer)",
      "Background",
    )
    .option("--port <number>", "port to listen on; 0: any that is free", "8080")
    .option("--host <address>", "address to listen on", "127.0.0.1")
    .option(
      "--runtime <name>",
      "Auto, Compiled, Onnx or DataFrame; Auto: the fastest that answers as the pipeline",
      "Auto",
    )
    .option(...home)
    .option("--unsafe-no-sandbox", "let code written by an LLM run where bubblewrap is missing")
    .action(async (job, options) => {
      code = await (await import("./cli/serve.ts")).serve(job, options, env);
    });
  program
    .command("console")
    .description("open the home in a browser: upload, train, watch, try; until it is interrupted")
    .option("--port <number>", "port of the loopback address to listen on; 0: any that is free", "8790")
    .option(...home)
    .option("--unsafe-no-sandbox", "let code written by an LLM run where bubblewrap is missing")
    .action(async (options) => {
      code = await (await import("./cli/console.ts")).openConsole(options, env);
    });
  program
    .command("inferences")
    .description(
      "print what a served model was asked and what it answered; with -n, of a ModelDeployment in the cluster",
    )
    .argument("<name>", "job of the home, or with -n ModelDeployment")
    .option("--since <time>", "how long ago, such as 90s, 30m, 1h, 7d, or a moment in ISO 8601", "1h")
    .option("--until <time>", "the same; default: now")
    .option("--limit <number>", "end after so many entries, the oldest first")
    .option("--json", "print the entries as they were logged, one JSON object a line")
    .option(...home)
    .option("-n, --namespace <namespace>", "a ModelDeployment of this namespace of the cluster (kubeconfig)")
    .option(...operatorNamespace)
    .option(...operatorService)
    .option(...serviceAccount)
    .action(async (name, options) => {
      code = await (await import("./cli/inferences.ts")).inferences(name, options, env);
    });
  program
    .command("preview")
    .description(
      "show what the intake makes of a CSV: columns, types, missing cells, first rows, warnings; with -n, of a Dataset in the cluster",
    )
    .argument("<file>", "a CSV; with -n, the name of a Dataset")
    .option("-n, --namespace <namespace>", "the Dataset is in this namespace of the cluster (kubeconfig)")
    .option("--json", "the whole profile as JSON")
    .option(...operatorNamespace)
    .option(...operatorService)
    .option(...serviceAccount)
    .action(async (file, options) => {
      code =
        options.namespace === undefined
          ? await (await import("./cli/preview.ts")).preview(file, options, env)
          : await (await import("./cli/cluster-artifacts.ts")).clusterPreview(file, options);
    });
  program
    .command("report")
    .description(
      "print the path of a job's report, or write the report to a file; with -n, that of a job in the cluster",
    )
    .argument("<job>")
    .option("--output <file>", "write the HTML there (default with -n: <job>.html; -: standard output)")
    .option(...home)
    .option("-n, --namespace <namespace>", "the job is in this namespace of the cluster (kubeconfig)")
    .option(...operatorNamespace)
    .option(...operatorService)
    .option(...serviceAccount)
    .action(async (job, options) => {
      code =
        options.namespace === undefined
          ? await (await import("./cli/report.ts")).report(job, options, env)
          : await (await import("./cli/cluster-artifacts.ts")).clusterReport(job, options);
    });
  program
    .command("model")
    .description("copy a READY job's model package into a folder, checked; with -n, of a job in the cluster")
    .argument("<job>")
    .requiredOption("--output <folder>", "a folder that is not there yet, or is empty")
    .option(...home)
    .option("-n, --namespace <namespace>", "the job is in this namespace of the cluster (kubeconfig)")
    .option(...operatorNamespace)
    .option(...operatorService)
    .option(...serviceAccount)
    .action(async (job, options) => {
      code =
        options.namespace === undefined
          ? await (await import("./cli/model.ts")).model(job, options, env)
          : await (await import("./cli/cluster-artifacts.ts")).clusterModel(job, options);
    });
  program
    .command("validate")
    .description("check a manifest offline, with the rules of the API server")
    .requiredOption("-f, --filename <file>", "manifest (YAML or JSON); - for standard input")
    .option("--embedded", "allow what the embedded run alone can do, such as file: addresses")
    .action(async (options) => {
      code = await (await import("./cli/validate.ts")).validate(options);
    });

  try {
    await program.parseAsync(argv);
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ready : EXIT.badInput;
    if (error instanceof UsageError) {
      process.stderr.write(`${error.message}\n`);
      return EXIT.badInput;
    }
    process.stderr.write(`autoai: ${error instanceof Error ? error.message : String(error)}\n`);
    if (env.AUTOAI_DEBUG && error instanceof Error) process.stderr.write(`${error.stack}\n`);
    return EXIT.error;
  }
}

// As with `| head`, whose reader has what it wanted; or on a disk that is full.
process.stdout.on("error", ({ code, message }: NodeJS.ErrnoException) => {
  if (code === "EPIPE") process.exit(EXIT.ready);
  process.stderr.write(`autoai: ${message}\n`);
  process.exit(EXIT.error);
});
// Compiled modules are kept for the next command: half of what it takes to start. Node 20 knows no such thing.
module.enableCompileCache?.(join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "autoai", "node"));
process.exitCode = await main(process.argv, process.env);
