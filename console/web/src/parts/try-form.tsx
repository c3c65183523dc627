/** A row, field by field, as the model's schema has them; filled with a real one. */
import {
  Alert,
  Button,
  Group,
  NativeSelect,
  NumberInput,
  Paper,
  Progress,
  SimpleGrid,
  Stack,
  Table,
  Text,
  TextInput,
  Title,
} from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import type { Explanation } from "../../../server/explain.ts";
import { api, sentenceOf } from "../api.ts";
import type { Model } from "../pages/model.tsx";
import { score } from "./format.ts";
import { Loading } from "./states.tsx";

type Place = { namespace: string; name: string };
type Cell = string | number | boolean | null;
type Cells = Readonly<Record<string, Cell>>;
type Feature = Model["manifest"]["features"][number];

export function TryForm({ place, model }: { place: Place; model: Model }) {
  const examples = useQuery({
    queryKey: ["examples", place],
    queryFn: () => api.models.examples.query(place),
    staleTime: Number.POSITIVE_INFINITY,
  });
  if (examples.isPending) return <Loading what="a row" />;
  const rows = (examples.data ?? []) as readonly Cells[];
  const fallback = Object.fromEntries(model.manifest.features.map(({ name, example }) => [name, example]));
  return <Form place={place} model={model} rows={rows.length === 0 ? [fallback] : rows} />;
}

function Form({ place, model, rows }: { place: Place; model: Model; rows: readonly Cells[] }) {
  const { features, target } = model.manifest;
  const [at, setAt] = useState(0);
  const [row, setRow] = useState<Cells>(rows[0] ?? {});
  const predict = useMutation({
    mutationFn: (asked: Cells) => api.models.predict.mutate({ place, row: asked }),
  });
  const explain = useMutation({
    mutationFn: (asked: Cells) => api.models.explain.mutate({ place, row: asked }),
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    explain.reset();
    predict.mutate(row, { onSuccess: () => explain.mutate(row) });
  };
  const next = (): void => {
    const place = (at + 1) % rows.length;
    setAt(place);
    setRow(rows[place] ?? {});
    predict.reset();
    explain.reset();
  };
  const problems = problemsOf(predict.error);
  return (
    <Stack gap="lg">
      <form onSubmit={submit} noValidate>
        <Stack>
          <Text size="sm" c="dimmed">
            Filled with a row that the model was tried on when it was published. An empty field is a missing
            cell.
          </Text>
          <SimpleGrid cols={{ base: 1, xs: 2, md: 3 }}>
            {features.map((feature) => (
              <Field
                key={feature.name}
                feature={feature}
                value={row[feature.name] ?? null}
                problem={problems.get(feature.name)}
                onChange={(value) => setRow({ ...row, [feature.name]: value })}
              />
            ))}
          </SimpleGrid>
          <Group>
            <Button type="submit" loading={predict.isPending}>
              Predict {target.length > 30 ? "" : target}
            </Button>
            {rows.length > 1 && (
              <Button variant="default" onClick={next}>
                Another row
              </Button>
            )}
          </Group>
        </Stack>
      </form>
      <div role="status" aria-live="polite">
        {predict.isPending && (
          <Text c="dimmed">The first answer takes a few seconds: the model is being loaded.</Text>
        )}
        {predict.isError && (
          <Alert color="red" variant="outline" title="No prediction" className="wrap">
            {sentenceOf(predict.error)}
          </Alert>
        )}
        {predict.data && <Answer target={target} answer={predict.data} />}
        {explain.data && <Moved explanation={explain.data} />}
      </div>
    </Stack>
  );
}

function Field({
  feature: { name, type, categories, min, max },
  value,
  problem,
  onChange,
}: {
  feature: Feature;
  value: Cell;
  problem: string | undefined;
  onChange: (value: Cell) => void;
}) {
  const description = min !== undefined && max !== undefined ? `In training from ${min} to ${max}` : type;
  const common = { label: name, description, error: problem, className: "wrap" };
  if (type === "Integer" || type === "Number") {
    return (
      <NumberInput
        {...common}
        value={typeof value === "number" ? value : ""}
        onChange={(next) => onChange(next === "" || Number.isNaN(Number(next)) ? null : Number(next))}
        hideControls
        allowDecimal={type === "Number"}
      />
    );
  }
  const known = type === "Boolean" ? ["True", "False"] : type === "Category" ? (categories ?? []) : [];
  const text = typeof value === "boolean" ? (value ? "True" : "False") : value === null ? "" : String(value);
  if (known.length > 0) {
    const data = ["", ...known, ...(known.includes(text) || text === "" ? [] : [text])];
    return (
      <NativeSelect
        {...common}
        value={text}
        onChange={(event) => {
          const next = event.currentTarget.value;
          onChange(next === "" ? null : type === "Boolean" ? next === "True" : next);
        }}
        data={data.map((one) => ({ value: one, label: one === "" ? "(missing)" : one }))}
      />
    );
  }
  return (
    <TextInput
      {...common}
      value={text}
      onChange={(event) => onChange(event.currentTarget.value === "" ? null : event.currentTarget.value)}
    />
  );
}

type Prediction = Awaited<ReturnType<typeof api.models.predict.mutate>>;

function Answer({ target, answer }: { target: string; answer: Prediction }) {
  const { prediction, probabilities, warnings } = answer;
  const classes = Object.entries(probabilities ?? {}).sort(([, one], [, other]) => other - one);
  return (
    <Paper withBorder p="md" mb="md">
      <Stack gap="sm">
        <Text className="wrap">
          {target}:{" "}
          <strong data-testid="prediction">
            {typeof prediction === "number" ? score(prediction) : prediction}
          </strong>
        </Text>
        {classes.slice(0, 10).map(([name, share]) => (
          <div key={name}>
            <Group justify="space-between" gap="xs">
              <Text size="sm" className="wrap">
                {name}
              </Text>
              <Text size="sm">{(share * 100).toFixed(1)} %</Text>
            </Group>
            <Progress value={share * 100} aria-label={`Probability of ${name}`} />
          </div>
        ))}
        {warnings.map((warning) => (
          <Alert key={warning} color="yellow" variant="outline" className="wrap">
            {warning}
          </Alert>
        ))}
      </Stack>
    </Paper>
  );
}

function Moved({ explanation: { of, moved, leftOut } }: { explanation: Explanation }) {
  return (
    <Stack gap="xs">
      <Title order={2}>What moved it</Title>
      <Text size="sm" c="dimmed">
        How much {of === undefined ? "the prediction" : `the probability of ${of}`} would differ if a field
        had its usual value, one at a time. Fields that act together are not told apart.
        {leftOut > 0 && ` ${leftOut} fields were not looked at.`}
      </Text>
      {moved.length === 0 ? (
        <Text>No single field moves it.</Text>
      ) : (
        <Table>
          <Table.Thead>
            <Table.Tr>
              <Table.Th scope="col">Field</Table.Th>
              <Table.Th scope="col">Usual value</Table.Th>
              <Table.Th scope="col">Moves it by</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {moved.map(({ field, usual, by }) => (
              <Table.Tr key={field}>
                <Table.Td className="wrap">{field}</Table.Td>
                <Table.Td className="wrap">{usual.length > 24 ? `${usual.slice(0, 24)}…` : usual}</Table.Td>
                <Table.Td>
                  {by > 0 ? "+" : "−"}
                  {of === undefined ? score(Math.abs(by)) : `${(Math.abs(by) * 100).toFixed(1)} %`}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
    </Stack>
  );
}

/** What the server says is wrong, by field. */
function problemsOf(error: unknown): ReadonlyMap<string, string> {
  const detail = (error as { data?: { detail?: { problems?: unknown } } } | null)?.data?.detail?.problems;
  if (!Array.isArray(detail)) return new Map();
  return new Map(
    (detail as { field?: unknown; expected?: unknown }[]).map(({ field, expected }) => [
      String(field),
      String(expected),
    ]),
  );
}
