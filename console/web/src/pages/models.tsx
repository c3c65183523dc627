import { Anchor, Button, Stack, Text, Title } from "@mantine/core";
import { Link } from "wouter";
import type { DeploymentRow, JobRow } from "../../../server/rows.ts";
import { useRows } from "../live.tsx";
import { ChangeModel } from "../parts/change-model.tsx";
import { when } from "../parts/format.ts";
import { type Column, PAGE, ResourceList } from "../parts/list.tsx";
import { Page } from "../parts/page.tsx";
import { StateBadge } from "../parts/state-badge.tsx";
import { Empty, isDenied } from "../parts/states.tsx";
import { DeploymentTraffic } from "../parts/traffic.tsx";
import { useMe } from "../session.tsx";

const MODELS: readonly Column<JobRow>[] = [
  {
    title: "Model of job",
    cell: (job) => (
      <Anchor size="sm" component={Link} href={`/models/${job.key}`} className="wrap">
        {job.name}
      </Anchor>
    ),
  },
  { title: "Name", cell: ({ model }) => <span className="wrap">{model ?? ""}</span> },
  { title: "Predicts", cell: ({ target }) => <span className="wrap">{target}</span> },
  { title: "Final score", cell: ({ score }) => score ?? "" },
  { title: "Baseline", cell: ({ baseline }) => baseline ?? "" },
  { title: "Ready since", cell: ({ finished }) => when(finished) },
];

const DEPLOYMENTS: readonly Column<DeploymentRow>[] = [
  { title: "Deployment", cell: ({ name }) => <span className="wrap">{name}</span> },
  { title: "State", cell: ({ state }) => <StateBadge state={state} /> },
  {
    title: "Model of job",
    cell: ({ namespace, job, serves }) => (
      <>
        <Anchor size="sm" component={Link} href={`/models/${namespace}/${job}`} className="wrap">
          {job}
        </Anchor>
        {serves !== undefined && (
          <Text size="sm" c="dimmed" className="wrap">
            that of {serves} is served
          </Text>
        )}
      </>
    ),
  },
  { title: "Replicas", cell: ({ replicas }) => replicas ?? "" },
  { title: "Runtime", cell: ({ runtime }) => runtime ?? "" },
  { title: "Address", cell: ({ url }) => <span className="wrap mono">{url ?? ""}</span> },
  {
    title: "Message",
    cell: ({ message, failure }) => (
      <>
        <span className="wrap">{message}</span>
        {failure !== undefined && (
          <Text size="sm" c="var(--mantine-color-error)" className="wrap">
            The last roll-out did not succeed: {failure}
          </Text>
        )}
      </>
    ),
  },
];

const CHANGEABLE: readonly Column<DeploymentRow>[] = [
  ...DEPLOYMENTS,
  { title: "Other models", cell: (deployment) => <ChangeModel deployment={deployment} /> },
];

export default function Models() {
  return (
    <Page title="Models">
      <Stack gap="xl">
        <ResourceList
          kind="TrainingJob"
          ready
          columns={MODELS}
          label="models"
          empty={
            <Empty
              title="No model yet"
              action={
                <Button component={Link} href="/train">
                  New training
                </Button>
              }
            >
              Each job that ends well leaves a model, with the score that was verified.
            </Empty>
          }
        />
        <Deployments />
      </Stack>
    </Page>
  );
}

function Deployments() {
  const me = useMe();
  // The list's own first page: asked for once.
  const list = useRows("ModelDeployment", { ready: false, find: "", from: 0, limit: PAGE });
  const data = isDenied(list.error) ? undefined : list.data;
  if (data?.total === 0) return null;
  const inCluster = me.mode === "Cluster";
  return (
    <>
      <section aria-labelledby="deployments">
        <Title order={2} id="deployments" mb="sm">
          Deployments
        </Title>
        <ResourceList
          kind="ModelDeployment"
          columns={inCluster ? CHANGEABLE : DEPLOYMENTS}
          label="deployments"
          empty={null}
        />
      </section>
      {inCluster && data && <DeploymentTraffic deployments={data.rows} />}
    </>
  );
}
