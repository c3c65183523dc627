import { Alert, Anchor, Button, Group, Progress, SimpleGrid, Stack, Tabs, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useState } from "react";
import { Link, useLocation } from "wouter";
import type { JobRow } from "../../../server/rows.ts";
import { api, sentenceOf } from "../api.ts";
import { useJournal } from "../journal.ts";
import { type Place, useRow } from "../live.tsx";
import { candidatesIn } from "../parts/candidates-in.ts";
import { ConfirmButton } from "../parts/confirm.tsx";
import { CopyText } from "../parts/copy-text.tsx";
import { count, duration } from "../parts/format.ts";
import { Page } from "../parts/page.tsx";
import { StateBadge } from "../parts/state-badge.tsx";
import { Empty, isDenied, isMissing, Loading, Problem } from "../parts/states.tsx";
import { Transcript } from "../parts/transcript.tsx";

const Candidates = lazy(() => import("../parts/candidates.tsx"));

export default function JobPage(place: Place) {
  const { data: row, error, refetch } = useRow("TrainingJob", place);
  if (row && !isMissing(error) && !isDenied(error)) return <OfJob row={row} />;
  return (
    <Page title={place.name}>
      {error === null ? (
        <Loading what="the job" />
      ) : isMissing(error) ? (
        <Empty title="There is no such job">It was deleted, or never was.</Empty>
      ) : (
        <Problem error={error} onRetry={() => refetch()} />
      )}
    </Page>
  );
}

function OfJob({ row }: { row: JobRow }) {
  const { namespace, name, state } = row;
  const [, navigate] = useLocation();
  const [problem, setProblem] = useState("");
  const [tab, setTab] = useState<string | null>("transcript");
  const journal = useJournal(namespace, name);
  const over = state === "Ready" || state === "Failed";
  const suspended = state === "Suspended";
  const suspend = async (): Promise<void> => {
    setProblem("");
    await api.jobs.suspend
      .mutate({ place: { namespace, name }, suspend: !suspended })
      .catch((error) => setProblem(sentenceOf(error)));
  };
  return (
    <Page
      title={name}
      actions={
        <>
          {state === "Ready" && (
            <Button component={Link} href={`/models/${row.key}`}>
              Try the model
            </Button>
          )}
          {!over && (
            <Button variant="default" onClick={() => void suspend()}>
              {suspended ? "Go on" : "Suspend"}
            </Button>
          )}
          <ConfirmButton
            label={over ? "Delete" : "Stop and delete"}
            question="The job, its transcript, its report and its place in the lists go for good. A model package that it published stays in the store."
            onConfirm={async () => {
              await api.jobs.remove.mutate({ namespace, name });
              navigate("/jobs");
            }}
          />
        </>
      }
    >
      <Group gap="md">
        <StateBadge state={state} />
        <Text c="dimmed" className="wrap">
          {state === "Working" ? row.activity : row.message}
        </Text>
      </Group>
      {problem !== "" && (
        <Alert color="red" variant="outline" title="That did not work" role="alert">
          {problem}
        </Alert>
      )}
      {(state === "Failed" || state === "Stalled") && (
        <Alert color="red" variant="outline" title={row.reason} role="alert" className="wrap">
          {row.message}
        </Alert>
      )}
      <SimpleGrid cols={{ base: 2, md: 4 }}>
        <Gauge label="Time" used={row.seconds} of={row.maxSeconds} words={duration} />
        <Gauge label="Steps" used={row.step} of={row.maxSteps} words={count} />
        <Gauge label="Tokens" used={row.tokens} of={row.maxTokens} words={count} />
        <div>
          <Text size="sm" c="dimmed">
            {row.score === undefined ? "Best so far" : "Final score"}
          </Text>
          <Text fz="lg" fw={700}>
            {row.score ?? row.verified ?? "none yet"}
          </Text>
          <Text size="sm" c="dimmed">
            {row.baseline === undefined ? "" : `baseline ${row.baseline}`}
          </Text>
        </div>
      </SimpleGrid>
      <Tabs value={tab} onChange={setTab} keepMounted={false}>
        <Tabs.List>
          <Tabs.Tab value="transcript">Transcript</Tabs.Tab>
          <Tabs.Tab value="candidates">Candidates</Tabs.Tab>
          <Tabs.Tab value="manifest">Manifest</Tabs.Tab>
          {state === "Ready" && <Tabs.Tab value="report">Report</Tabs.Tab>}
        </Tabs.List>
        <Tabs.Panel value="transcript" pt="md">
          <Stack>
            {journal.error !== undefined && <Problem error={journal.error} />}
            {!journal.current && journal.entries.length === 0 && journal.error === undefined && (
              <Loading what="the transcript" />
            )}
            {journal.current && journal.entries.length === 0 && (
              <Empty title="Nothing happened yet">The first entry comes when the data are prepared.</Empty>
            )}
            {journal.entries.length > 0 && <Transcript entries={journal.entries} />}
          </Stack>
        </Tabs.Panel>
        <Tabs.Panel value="candidates" pt="md">
          <Suspense fallback={<Loading what="the chart" />}>
            <Candidates candidates={candidatesIn(journal.entries)} />
          </Suspense>
        </Tabs.Panel>
        <Tabs.Panel value="manifest" pt="md">
          <Manifest namespace={namespace} name={name} />
        </Tabs.Panel>
        {state === "Ready" && (
          <Tabs.Panel value="report" pt="md">
            <Stack>
              <Anchor href={`/api/reports/${row.key}`} target="_blank" rel="noreferrer">
                Open the report in a tab of its own
              </Anchor>
              <iframe
                className="report"
                sandbox=""
                src={`/api/reports/${row.key}`}
                title={`Report of ${name}`}
              />
            </Stack>
          </Tabs.Panel>
        )}
      </Tabs>
    </Page>
  );
}

function Gauge({
  label,
  used,
  of,
  words,
}: {
  label: string;
  used: number;
  of: number;
  words: (value: number) => string;
}) {
  return (
    <div>
      <Text size="sm" c="dimmed">
        {label}
      </Text>
      <Text fz="lg" fw={700}>
        {words(used)}
      </Text>
      <Progress
        value={Math.min(100, (used / Math.max(1, of)) * 100)}
        aria-label={`${label} used of the budget`}
        mt={4}
      />
      <Text size="sm" c="dimmed">
        of {words(of)}
      </Text>
    </div>
  );
}

function Manifest(place: Place) {
  const job = useQuery({ queryKey: ["job", place], queryFn: () => api.jobs.get.query(place) });
  if (job.isPending) return <Loading what="the manifest" />;
  if (job.isError) return <Problem error={job.error} onRetry={() => job.refetch()} />;
  return <CopyText text={job.data.manifest} label="Manifest" />;
}
