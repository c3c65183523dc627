import {
  Alert,
  Button,
  Grid,
  Group,
  NativeSelect,
  NumberInput,
  Paper,
  Stack,
  Text,
  Textarea,
  TextInput,
  Title,
} from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { type FormEvent, useMemo, useState } from "react";
import { Link, useLocation, useSearchParams } from "wouter";
import type { JobForm } from "../../../server/form.ts";
import type { DatasetRow } from "../../../server/rows.ts";
import type { TargetSuggestion } from "../../../server/suggest.ts";
import { api, sentenceOf } from "../api.ts";
import { type Place, useRow, useRows } from "../live.tsx";
import { CopyText } from "../parts/copy-text.tsx";
import { Page } from "../parts/page.tsx";
import { deniedList, Empty, isDenied, Loading, Problem } from "../parts/states.tsx";
import { useMe } from "../session.tsx";

/** Data sets to choose from; the page of an older one leads here too. */
const NEWEST = 100;

export default function Train() {
  const [search] = useSearchParams();
  const name = search.get("dataset");
  const list = useRows("Dataset", { ready: true, limit: NEWEST });
  return (
    <Page title="New training">
      {list.isPending ? (
        <Loading what="the data sets" />
      ) : list.isError && (!list.data || isDenied(list.error)) ? (
        <Problem error={list.error} onRetry={() => list.refetch()} denied={deniedList("Dataset")} />
      ) : name !== null ? (
        <Asked newest={list.data.rows} place={{ namespace: search.get("namespace") ?? "default", name }} />
      ) : list.data.total === 0 ? (
        <Empty
          title="No data set to train on"
          action={
            <Button component={Link} href="/datasets">
              Upload a CSV
            </Button>
          }
        >
          A training takes a data set that was taken in.
        </Empty>
      ) : (
        <Chosen datasets={list.data.rows} />
      )}
    </Page>
  );
}

/** The address names one, which need not be among the newest. */
function Asked({ newest, place }: { newest: readonly DatasetRow[]; place: Place }) {
  const row = useRow("Dataset", place);
  if (row.isPending) return <Loading what="the data set" />;
  const asked = row.data?.state === "Ready" ? row.data : undefined;
  return (
    <Chosen
      datasets={asked ? [asked, ...newest.filter(({ key }) => key !== asked.key)] : newest}
      isThere={asked !== undefined}
    />
  );
}

function Chosen({ datasets, isThere = true }: { datasets: readonly DatasetRow[]; isThere?: boolean }) {
  const [chosen, setChosen] = useState(isThere ? datasets[0]?.key : "");
  const dataset = datasets.find(({ key }) => key === chosen);
  return (
    <Stack>
      <NativeSelect
        label="Data set"
        value={dataset?.key ?? ""}
        onChange={(event) => setChosen(event.currentTarget.value)}
        data={[
          ...(dataset ? [] : [{ value: "", label: "Choose one" }]),
          ...datasets.map(({ key, name }) => ({ value: key, label: name })),
        ]}
        maw={420}
      />
      {dataset ? (
        <OfDataset key={dataset.key} dataset={dataset} />
      ) : (
        <Empty title="There is no such data set">Choose another one.</Empty>
      )}
    </Stack>
  );
}

function OfDataset({ dataset }: { dataset: DatasetRow }) {
  const { namespace, name } = dataset;
  const profile = useQuery({
    queryKey: ["profile", { namespace, name }],
    queryFn: () => api.datasets.profile.query({ namespace, name }),
    staleTime: Number.POSITIVE_INFINITY,
  });
  const free = useQuery({
    queryKey: ["free name", { namespace, name }],
    queryFn: () => api.resources.freeName.query({ kind: "TrainingJob", place: { namespace, name } }),
    gcTime: 0,
  });
  if (profile.isPending || free.isPending) return <Loading what="the profile" />;
  if (profile.isError) return <Problem error={profile.error} onRetry={() => profile.refetch()} />;
  const { targets, metrics, profile: found } = profile.data;
  const [first] = targets;
  if (!first) {
    return (
      <Empty title="Nothing in it can be predicted">
        Every column is empty, constant, free text, or tells rows apart.
      </Empty>
    );
  }
  return (
    <Form
      dataset={dataset}
      name={free.data ?? name}
      targets={targets}
      first={first}
      metrics={metrics}
      columns={found.columns.map((column) => column.name)}
    />
  );
}

function Form({
  dataset,
  name,
  targets,
  first,
  metrics,
  columns,
}: {
  dataset: DatasetRow;
  /** Of the job, free. */
  name: string;
  targets: readonly TargetSuggestion[];
  first: TargetSuggestion;
  metrics: readonly string[];
  columns: readonly string[];
}) {
  const me = useMe();
  const [, navigate] = useLocation();
  const [form, setForm] = useState<JobForm>(() => ({
    namespace: dataset.namespace,
    name,
    dataset: dataset.name,
    target: first.target,
    task: first.task,
    metric: first.metric,
    method: "Auto",
    split: "Random",
    publish: "AsScored",
    maxSteps: 30,
    maxSeconds: 300,
    maxTokens: 1_000_000,
    provider: me.providers.includes("Gemini") ? "Gemini" : "Offline",
  }));
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const suggestion = targets.find(({ target }) => target === form.target) ?? first;
  const [settled] = useDebouncedValue(form, 250);
  const draft = useQuery({
    queryKey: ["draft", settled],
    queryFn: () => api.jobs.draft.query(settled),
    placeholderData: keepPreviousData,
    gcTime: 0,
  });
  const problems = useMemo(
    () => new Map((draft.data?.problems ?? []).map(({ field, message }) => [field, message])),
    [draft.data],
  );
  const set = <K extends keyof JobForm>(field: K, value: JobForm[K]): void =>
    setForm({ ...form, [field]: value });
  const of = (...fields: string[]): string | undefined =>
    fields.map((field) => problems.get(field)).find(Boolean);
  const known = new Set([
    "metadata.name",
    "spec.target",
    "spec.task",
    "spec.goal",
    "spec.evaluation.metric",
    "spec.evaluation.column",
    "spec.acceptance.score",
    "spec.budget.maxSteps",
    "spec.budget.maxSeconds",
    "spec.budget.maxTokens",
  ]);
  const others = [...problems].filter(([field]) => !known.has(field));

  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    setProblem("");
    try {
      const row = await api.jobs.create.mutate(form);
      navigate(`/jobs/${row.key}`);
    } catch (error) {
      setProblem(sentenceOf(error));
      setBusy(false);
    }
  };
  return (
    <Grid gap="lg">
      <Grid.Col span={{ base: 12, md: 7 }}>
        <form onSubmit={(event) => void submit(event)} noValidate>
          <Stack>
            <TextInput
              label="Name of the job"
              value={form.name}
              onChange={(event) => set("name", event.currentTarget.value)}
              error={of("metadata.name")}
              required
            />
            <NativeSelect
              label="Target"
              description={`The column to predict: ${suggestion.because}.`}
              value={form.target}
              onChange={(event) => {
                const chosen = targets.find(({ target }) => target === event.currentTarget.value);
                if (chosen)
                  setForm({ ...form, target: chosen.target, task: chosen.task, metric: chosen.metric });
              }}
              data={targets.map(({ target }) => ({ value: target, label: target }))}
              error={of("spec.target")}
            />
            <Group grow align="flex-start" preventGrowOverflow={false}>
              <NativeSelect
                label="Task"
                value={form.task}
                onChange={(event) => {
                  const { metric: _, ...rest } = form;
                  setForm({ ...rest, task: event.currentTarget.value as JobForm["task"] });
                }}
                data={[
                  { value: "Auto", label: "By its values" },
                  { value: "BinaryClassification", label: "One of two classes" },
                  { value: "MulticlassClassification", label: "One of several classes" },
                  { value: "Regression", label: "A number" },
                ]}
                error={of("spec.task")}
              />
              <NativeSelect
                label="Metric"
                value={form.metric ?? ""}
                onChange={(event) => {
                  const { metric: _, ...rest } = form;
                  const { value } = event.currentTarget;
                  setForm(value === "" ? rest : { ...rest, metric: value as NonNullable<JobForm["metric"]> });
                }}
                data={[{ value: "", label: "The usual one of the task" }, ...metrics]}
                error={of("spec.evaluation.metric")}
              />
            </Group>
            <Textarea
              label="Goal"
              description="What the model is for, in your words. The author reads it; it changes neither task nor metric."
              value={form.goal ?? ""}
              onChange={(event) => set("goal", event.currentTarget.value)}
              error={of("spec.goal")}
              autosize
              minRows={2}
            />
            <Title order={2}>Budget</Title>
            <Text size="sm" c="dimmed">
              Hard limits. When one is reached, the best verified candidate is published; without one, the job
              ends in an error. Verifying and publishing are within the seconds.
            </Text>
            <Group grow align="flex-start" preventGrowOverflow={false}>
              <NumberInput
                label="Seconds"
                value={form.maxSeconds}
                onChange={(value) => set("maxSeconds", Number(value))}
                error={of("spec.budget.maxSeconds")}
                min={1}
                max={86400}
              />
              <NumberInput
                label="Steps"
                value={form.maxSteps}
                onChange={(value) => set("maxSteps", Number(value))}
                error={of("spec.budget.maxSteps")}
                min={1}
                max={500}
              />
              <NumberInput
                label="Tokens"
                value={form.maxTokens}
                onChange={(value) => set("maxTokens", Number(value))}
                error={of("spec.budget.maxTokens")}
                min={1}
                thousandSeparator=","
              />
            </Group>
            <NativeSelect
              label="Author"
              description={
                form.provider === "Offline"
                  ? "Built in: asks no LLM, and sends nothing anywhere."
                  : "Gemini reads the training rows that its programs print."
              }
              value={form.provider}
              onChange={(event) => set("provider", event.currentTarget.value as JobForm["provider"])}
              data={me.providers.map((value) => ({ value, label: value }))}
            />
            <Title order={2}>Evaluation</Title>
            <Text size="sm" c="dimmed">
              Rows are divided once, before the author sees any: train, selection (by which candidates are
              compared) and final (scored once, for the report).
            </Text>
            <Group grow align="flex-start" preventGrowOverflow={false}>
              <NativeSelect
                label="Rows are divided"
                value={form.split}
                onChange={(event) => set("split", event.currentTarget.value as JobForm["split"])}
                data={[
                  { value: "Random", label: "at random" },
                  { value: "Time", label: "by time" },
                  { value: "Group", label: "by group" },
                ]}
              />
              {form.split !== "Random" && (
                <NativeSelect
                  label={form.split === "Time" ? "Column with the time" : "Column with the group"}
                  value={form.column ?? ""}
                  onChange={(event) => set("column", event.currentTarget.value)}
                  data={[
                    { value: "", label: "Choose one" },
                    ...columns.filter((name) => name !== form.target),
                  ]}
                  error={of("spec.evaluation.column")}
                />
              )}
              <NativeSelect
                label="Candidates are compared"
                value={form.method}
                onChange={(event) => set("method", event.currentTarget.value as JobForm["method"])}
                data={[
                  { value: "Auto", label: "as fits the data" },
                  { value: "Holdout", label: "on one holdout" },
                  { value: "CrossValidation", label: "on folds" },
                ]}
                error={of("spec.evaluation.method")}
              />
            </Group>
            <TextInput
              label="Good enough at"
              description="Verified score at which the job stops early; empty: never."
              value={form.acceptance ?? ""}
              onChange={(event) => set("acceptance", event.currentTarget.value)}
              error={of("spec.acceptance.score")}
            />
            {(problem !== "" || others.length > 0) && (
              <Alert color="red" variant="outline" title="Not yet" role="alert">
                {problem !== "" && <Text size="sm">{problem}</Text>}
                {others.map(([field, message]) => (
                  <Text size="sm" key={field} className="wrap">
                    {field}: {message}
                  </Text>
                ))}
              </Alert>
            )}
            <Group>
              <Button type="submit" loading={busy}>
                Train
              </Button>
            </Group>
          </Stack>
        </form>
      </Grid.Col>
      <Grid.Col span={{ base: 12, md: 5 }}>
        <Paper withBorder p="md" pos="sticky" top={70}>
          <Stack gap="sm">
            <Title order={2}>The manifest</Title>
            <Text size="sm" c="dimmed">
              This is what is applied. Keep it in git, and <code>autoai run -f</code> or{" "}
              <code>kubectl apply -f</code> makes the same job.
            </Text>
            {draft.isError ? (
              <Problem error={draft.error} />
            ) : (
              <CopyText text={draft.data?.yaml ?? ""} label="Manifest" />
            )}
          </Stack>
        </Paper>
      </Grid.Col>
    </Grid>
  );
}
