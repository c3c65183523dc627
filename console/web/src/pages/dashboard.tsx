import { Anchor, Button, Card, Group, Paper, Progress, SimpleGrid, Stack, Text, Title } from "@mantine/core";
import { Link } from "wouter";
import type { Overview } from "../../../server/listed.ts";
import type { JobRow, Row } from "../../../server/rows.ts";
import { useOverview } from "../live.tsx";
import { Figure, type FigureProps } from "../parts/figures.tsx";
import { count, duration } from "../parts/format.ts";
import { Page } from "../parts/page.tsx";
import { StateBadge } from "../parts/state-badge.tsx";
import { Empty, Forbidden, Loading, Problem } from "../parts/states.tsx";

export function Dashboard() {
  const { data, error, refetch } = useOverview();
  return (
    <Page
      title="Dashboard"
      actions={
        <Button component={Link} href="/train">
          New training
        </Button>
      }
    >
      {!data ? (
        error === null ? (
          <Loading what="what there is" />
        ) : (
          <Problem error={error} onRetry={() => refetch()} />
        )
      ) : data.denied.length === 3 ? (
        <Forbidden>You may list nothing of AutoAI in this namespace.</Forbidden>
      ) : data.total === 0 ? (
        <Empty
          title="Nothing here yet"
          action={
            <Button component={Link} href="/datasets">
              Upload a CSV
            </Button>
          }
        >
          Begin with a CSV: rows of examples, one column of which you would like to predict.
        </Empty>
      ) : (
        <All overview={data} />
      )}
    </Page>
  );
}

function All({ overview: { running, ready, attention, seconds, tokens } }: { overview: Overview }) {
  return (
    <>
      <SimpleGrid cols={{ base: 2, md: 4 }}>
        <Tile label="Running" value={count(running.count)} />
        <Tile label="Models ready" value={count(ready.count)} />
        <Tile label="Need attention" value={count(attention.count)} />
        <Tile label="Spent in all" value={duration(seconds)} note={`${count(tokens)} tokens`} />
      </SimpleGrid>
      <Section title="Needs attention" some={attention} none="Nothing does." />
      <section aria-labelledby="running">
        <Title order={2} id="running" mb="sm">
          Running
        </Title>
        {running.count === 0 ? (
          <Text c="dimmed">No job is being trained.</Text>
        ) : (
          <Stack gap="sm">
            {running.newest.map((job) => (
              <Running key={job.key} job={job} />
            ))}
          </Stack>
        )}
        <More some={running} />
      </section>
      <Section title="Ready" some={ready} none="No model yet." />
    </>
  );
}

function Tile(figure: FigureProps) {
  return (
    <Card withBorder padding="md">
      <Figure size="xl" {...figure} />
    </Card>
  );
}

function Running({ job }: { job: JobRow }) {
  const share = Math.min(100, (job.seconds / job.maxSeconds) * 100);
  return (
    <Paper withBorder p="sm">
      <Group justify="space-between" gap="xs">
        <Anchor component={Link} href={`/jobs/${job.key}`} fw={600} className="wrap">
          {job.name}
        </Anchor>
        <StateBadge state={job.state} />
      </Group>
      <Text size="sm" c="dimmed" className="wrap">
        {job.activity || job.message || "not begun"}
      </Text>
      <Progress value={share} mt="xs" aria-label={`Time used by ${job.name}`} />
    </Paper>
  );
}

type Some = { readonly count: number; readonly newest: readonly Row[] };

function Section({ title, some, none }: { title: string; some: Some; none: string }) {
  const id = title.toLowerCase().replaceAll(" ", "-");
  return (
    <section aria-labelledby={id}>
      <Title order={2} id={id} mb="sm">
        {title}
      </Title>
      {some.count === 0 && <Text c="dimmed">{none}</Text>}
      <Stack gap="sm">
        {some.newest.map((row) => (
          <Paper key={`${row.kind}:${row.key}`} withBorder p="sm">
            <Group justify="space-between" gap="xs">
              <Anchor component={Link} href={hrefOf(row)} fw={600} className="wrap">
                {row.name}
              </Anchor>
              <StateBadge state={row.state} />
            </Group>
            <Text size="sm" c="dimmed" className="wrap">
              {row.kind === "TrainingJob" && row.score !== undefined
                ? `${row.target}: ${row.score}, baseline ${row.baseline ?? "none"}`
                : row.message}
            </Text>
          </Paper>
        ))}
      </Stack>
      <More some={some} />
    </section>
  );
}

function More({ some: { count: all, newest } }: { some: Some }) {
  return all > newest.length && <Text c="dimmed">and {count(all - newest.length)} more</Text>;
}

function hrefOf(row: Row): string {
  if (row.kind === "Dataset") return `/datasets/${row.key}`;
  return row.kind === "TrainingJob" ? `/jobs/${row.key}` : "/models";
}
