import { Anchor, Button, Stack, Title } from "@mantine/core";
import { Link } from "wouter";
import type { DeploymentRow, JobRow } from "../../../server/rows.ts";
import { useLive, useRows } from "../live.tsx";
import { when } from "../parts/format.ts";
import { type Column, ResourceList } from "../parts/list.tsx";
import { Page } from "../parts/page.tsx";
import { StateBadge } from "../parts/state-badge.tsx";
import { Empty, Forbidden, Loading } from "../parts/states.tsx";
import { DeploymentTraffic } from "../parts/traffic.tsx";
import { useMe } from "../session.tsx";

const MODELS: readonly Column<JobRow>[] = [
  {
    title: "Model of job",
    cell: (job) => (
      <Anchor component={Link} href={`/models/${job.key}`} className="wrap">
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
    cell: ({ namespace, job }) => (
      <Anchor component={Link} href={`/models/${namespace}/${job}`} className="wrap">
        {job}
      </Anchor>
    ),
  },
  { title: "Replicas", cell: ({ replicas }) => replicas ?? "" },
  { title: "Runtime", cell: ({ runtime }) => runtime ?? "" },
  { title: "Address", cell: ({ url }) => <span className="wrap mono">{url ?? ""}</span> },
  { title: "Message", cell: ({ message }) => <span className="wrap">{message}</span> },
];

export default function Models() {
  const me = useMe();
  const { connection, denied } = useLive();
  const ready = useRows("TrainingJob").filter(({ state }) => state === "Ready");
  const deployments = useRows("ModelDeployment");
  return (
    <Page title="Models">
      {connection === "Loading" ? (
        <Loading what="the models" />
      ) : denied.includes("TrainingJob") ? (
        <Forbidden>You may not list the TrainingJobs of this namespace.</Forbidden>
      ) : ready.length === 0 ? (
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
      ) : (
        <Stack gap="xl">
          <ResourceList rows={ready} columns={MODELS} label="models" />
          {deployments.length > 0 && (
            <section aria-labelledby="deployments">
              <Title order={2} id="deployments" mb="sm">
                Deployments
              </Title>
              <ResourceList rows={deployments} columns={DEPLOYMENTS} label="deployments" />
            </section>
          )}
          {deployments.length > 0 && me.mode === "Cluster" && <DeploymentTraffic deployments={deployments} />}
        </Stack>
      )}
    </Page>
  );
}
