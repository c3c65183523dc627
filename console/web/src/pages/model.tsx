import { Anchor, Code as Mono, Stack, Table, Tabs, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { api } from "../api.ts";
import { Batch } from "../parts/batch.tsx";
import { Deploy } from "../parts/deploy.tsx";
import { Figures } from "../parts/figures.tsx";
import { score, when } from "../parts/format.ts";
import { Page } from "../parts/page.tsx";
import { PredictionLog } from "../parts/prediction-log.tsx";
import { Loading, Problem } from "../parts/states.tsx";
import { TryForm } from "../parts/try-form.tsx";
import { useMe } from "../session.tsx";

type Place = { namespace: string; name: string };
export type Model = Awaited<ReturnType<typeof api.models.get.query>>;

export default function ModelPage(place: Place) {
  const me = useMe();
  const [tab, setTab] = useState<string | null>("try");
  const model = useQuery({ queryKey: ["model", place], queryFn: () => api.models.get.query(place) });
  return (
    <Page title={place.name} actions={me.mode === "Cluster" && model.data && <Deploy place={place} />}>
      {model.isPending && <Loading what="the model" />}
      {model.isError && <Problem error={model.error} onRetry={() => model.refetch()} />}
      {model.data && (
        <>
          <div>
            <Text className="wrap">{model.data.manifest.name}</Text>
            <Text c="dimmed" className="wrap">
              {model.data.manifest.description}
            </Text>
          </div>
          <Scores model={model.data} />
          <Tabs value={tab} onChange={setTab}>
            <Tabs.List>
              <Tabs.Tab value="try">Try it</Tabs.Tab>
              <Tabs.Tab value="batch">A CSV</Tabs.Tab>
              <Tabs.Tab value="log">Past predictions</Tabs.Tab>
              <Tabs.Tab value="lineage">Lineage</Tabs.Tab>
            </Tabs.List>
            <Tabs.Panel value="try" pt="md">
              <TryForm place={place} model={model.data} />
            </Tabs.Panel>
            <Tabs.Panel value="batch" pt="md">
              <Batch place={place} />
            </Tabs.Panel>
            <Tabs.Panel value="log" pt="md">
              {tab === "log" && <PredictionLog place={place} />}
            </Tabs.Panel>
            <Tabs.Panel value="lineage" pt="md">
              <Lineage place={place} model={model.data} />
            </Tabs.Panel>
          </Tabs>
        </>
      )}
    </Page>
  );
}

function Scores({ model: { manifest } }: { model: Model }) {
  const { scores, metric } = manifest;
  const figures = [
    { label: "Final", value: score(scores.final, scores.finalStandardError), note: "on rows scored once" },
    { label: "Better baseline", value: score(scores.baselineFinal), note: "on the same rows" },
    {
      label: "Verified",
      value: score(scores.verified, scores.standardError),
      note: "on the rows it was chosen by",
    },
    {
      label: "Claimed",
      value: scores.claimed === undefined ? "nothing" : score(scores.claimed),
      note: "by the author",
    },
  ];
  return (
    <Figures
      figures={figures.map((one) => ({ ...one, label: `${one.label} ${metric}` }))}
      columns={{ base: 2, md: 4 }}
    />
  );
}

function Lineage({ place, model: { manifest, digest, uri } }: { place: Place; model: Model }) {
  const { provenance } = manifest;
  const rows: readonly (readonly [string, React.ReactNode])[] = [
    [
      "Job",
      <Anchor key="job" component={Link} href={`/jobs/${place.namespace}/${place.name}`}>
        {place.name}
      </Anchor>,
    ],
    ["Model (SHA-256)", <Mono key="model">{digest}</Mono>],
    ["Data (SHA-256)", <Mono key="data">{provenance.datasetSha256}</Mono>],
    ["Recipe (SHA-256)", <Mono key="recipe">{provenance.recipe}</Mono>],
    ["Environment", <Mono key="environment">{provenance.environment}</Mono>],
    [
      "Written by",
      provenance.llm ? `${provenance.llm.provider}, ${provenance.llm.model}` : provenance.origin,
    ],
    ["Trained on", `${provenance.rows} rows, divided ${provenance.split.by}, seed ${provenance.split.seed}`],
    ["Published", when(provenance.createdAt)],
    ["AutoAI", provenance.operatorVersion],
    ["Package", <Mono key="uri">{uri}</Mono>],
  ];
  return (
    <Stack>
      <Table variant="vertical" className="wrap">
        <Table.Tbody>
          {rows.map(([title, value]) => (
            <Table.Tr key={title}>
              <Table.Th scope="row" w={160}>
                {title}
              </Table.Th>
              <Table.Td>{value}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Stack>
  );
}
