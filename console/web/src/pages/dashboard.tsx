import { Anchor, Button, Card, Group, Paper, Progress, SimpleGrid, Stack, Text, Title } from "@mantine/core";
import { Link } from "wouter";
import type { JobRow, Row } from "../../../server/rows.ts";
import { useLive, useRows } from "../live.tsx";
import { count, duration } from "../parts/format.ts";
import { Page } from "../parts/page.tsx";
import { StateBadge } from "../parts/state-badge.tsx";
import { Empty, Forbidden, Loading } from "../parts/states.tsx";

const SHOWN = 8;

export function Dashboard() {
  const { connection, denied } = useLive();
  const jobs = useRows("TrainingJob");
  const datasets = useRows("Dataset");
  const deployments = useRows("ModelDeployment");
  const all: readonly Row[] = [...jobs, ...datasets, ...deployments];
  const attention = all.filter(({ state }) => state === "Stalled" || state === "Failed");
  const running = jobs.filter(({ state }) => state === "Working" || state === "Waiting");
  const ready = jobs.filter(({ state }) => state === "Ready");
  return (
    <Page
      title="Dashboard"
      actions={
        <Button component={Link} href="/train">
          New training
        </Button>
      }
    >
      {connection === "Loading" ? (
        <Loading what="what there is" />
      ) : denied.length === 3 ? (
        <Forbidden>You may list nothing of AutoAI in this namespace.</Forbidden>
      ) : all.length === 0 ? (
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
        <>
          <SimpleGrid cols={{ base: 2, md: 4 }}>
            <Figure label="Running" value={count(running.length)} />
            <Figure label="Models ready" value={count(ready.length)} />
            <Figure label="Need attention" value={count(attention.length)} />
            <Figure
              label="Spent in all"
              value={duration(jobs.reduce((sum, { seconds }) => sum + seconds, 0))}
              more={`${count(jobs.reduce((sum, { tokens }) => sum + tokens, 0))} tokens`}
            />
          </SimpleGrid>
          <Section title="Needs attention" rows={attention} none="Nothing does." />
          <section aria-labelledby="running">
            <Title order={2} id="running" mb="sm">
              Running
            </Title>
            {running.length === 0 ? (
              <Text c="dimmed">No job is being trained.</Text>
            ) : (
              <Stack gap="sm">
                {running.slice(0, SHOWN).map((job) => (
                  <Running key={job.key} job={job} />
                ))}
              </Stack>
            )}
          </section>
          <Section title="Ready" rows={ready} none="No model yet." />
        </>
      )}
    </Page>
  );
}

function Figure({ label, value, more }: { label: string; value: string; more?: string }) {
  return (
    <Card withBorder padding="md">
      <Text size="sm" c="dimmed">
        {label}
      </Text>
      <Text fz="xl" fw={700}>
        {value}
      </Text>
      {more && (
        <Text size="sm" c="dimmed">
          {more}
        </Text>
      )}
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

function Section({ title, rows, none }: { title: string; rows: readonly Row[]; none: string }) {
  const id = title.toLowerCase().replaceAll(" ", "-");
  return (
    <section aria-labelledby={id}>
      <Title order={2} id={id} mb="sm">
        {title}
      </Title>
      {rows.length === 0 && <Text c="dimmed">{none}</Text>}
      <Stack gap="sm">
        {rows.slice(0, SHOWN).map((row) => (
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
      {rows.length > SHOWN && <Text c="dimmed">and {count(rows.length - SHOWN)} more</Text>}
    </section>
  );
}

function hrefOf(row: Row): string {
  if (row.kind === "Dataset") return `/datasets/${row.key}`;
  return row.kind === "TrainingJob" ? `/jobs/${row.key}` : "/models";
}
