import { Anchor, Button, Text } from "@mantine/core";
import { Link } from "wouter";
import type { JobRow } from "../../../server/rows.ts";
import { when } from "../parts/format.ts";
import { type Column, ResourceList } from "../parts/list.tsx";
import { Page } from "../parts/page.tsx";
import { StateBadge } from "../parts/state-badge.tsx";
import { Empty } from "../parts/states.tsx";

const COLUMNS: readonly Column<JobRow>[] = [
  {
    title: "Job",
    cell: (job) => (
      <Anchor size="sm" component={Link} href={`/jobs/${job.key}`} className="wrap">
        {job.name}
      </Anchor>
    ),
  },
  { title: "State", cell: ({ state }) => <StateBadge state={state} /> },
  { title: "Target", cell: ({ target }) => <span className="wrap">{target}</span> },
  { title: "Score", cell: ({ score, verified }) => score ?? (verified && `${verified} so far`) ?? "" },
  { title: "Baseline", cell: ({ baseline }) => baseline ?? "" },
  {
    title: "Now",
    cell: ({ state, activity, message }) => (
      <Text size="sm" c="dimmed" lineClamp={2}>
        {state === "Working" ? activity : message}
      </Text>
    ),
  },
  { title: "Made", cell: ({ created }) => <Text size="sm">{when(created)}</Text> },
];

export default function Jobs() {
  const begin = (
    <Button component={Link} href="/train">
      New training
    </Button>
  );
  return (
    <Page title="Jobs" actions={begin}>
      <ResourceList
        kind="TrainingJob"
        columns={COLUMNS}
        label="jobs"
        empty={
          <Empty title="No job yet" action={begin}>
            A job takes a data set and the name of a column, and ends with a verified model.
          </Empty>
        }
      />
    </Page>
  );
}
