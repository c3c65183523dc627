/** What the servers of a deployment are asked, and how long their answers take, as long as somebody looks. */
import { NativeSelect, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import type { Traffic } from "../../../server/gateway.ts";
import type { DeploymentRow } from "../../../server/rows.ts";
import { api } from "../api.ts";
import { Bars } from "./bars.tsx";
import { Figures } from "./figures.tsx";
import { count } from "./format.ts";
import { Loading, Problem } from "./states.tsx";

const EVERY_MS = 5000;
/** Five minutes. */
const KEPT = 60;

export function DeploymentTraffic({ deployments }: { deployments: readonly DeploymentRow[] }) {
  const [chosen, setChosen] = useState("");
  const deployment = deployments.find(({ key }) => key === chosen) ?? deployments[0];
  if (!deployment) return null;
  return (
    <section aria-labelledby="traffic">
      <Title order={2} id="traffic" mb="sm">
        Traffic
      </Title>
      <Stack>
        <NativeSelect
          label="Of the deployment"
          value={deployment.key}
          onChange={(event) => setChosen(event.currentTarget.value)}
          data={deployments.map(({ key, name }) => ({ value: key, label: name }))}
          maw={420}
        />
        <Watched key={deployment.key} deployment={deployment} />
      </Stack>
    </section>
  );
}

function Watched({ deployment: { namespace, name } }: { deployment: DeploymentRow }) {
  const traffic = useQuery({
    queryKey: ["traffic", namespace, name],
    queryFn: () => api.models.traffic.query({ namespace, name }),
    refetchInterval: EVERY_MS,
    staleTime: 0,
  });
  const [samples, setSamples] = useState<readonly Traffic[]>([]);
  const { data } = traffic;
  useEffect(() => {
    if (data) setSamples((before) => [...before, data].slice(-KEPT));
  }, [data]);
  if (traffic.isPending) return <Loading what="the traffic" />;
  if (traffic.isError) return <Problem error={traffic.error} onRetry={() => traffic.refetch()} />;
  if (!data) return null;
  const rates = ratesOf(samples);
  const now = rates.at(-1);
  const figures = [
    {
      label: "Servers",
      value: count(data.servers),
      note: data.asked < data.servers ? `${data.asked} asked` : "",
    },
    { label: "Requests", value: count(data.requests), note: "since the servers began" },
    { label: "Failures", value: count(data.failures), note: "by no fault of who asked" },
    { label: "Half answered within", value: milliseconds(quantile(data, 0.5)), note: "" },
    { label: "95 % answered within", value: milliseconds(quantile(data, 0.95)), note: "" },
    { label: "Requests per second", value: now === undefined ? "…" : now.toFixed(1), note: "now" },
  ];
  return (
    <Stack>
      <Figures figures={figures} columns={{ base: 2, sm: 3, lg: 6 }} />
      {rates.length > 1 && (
        <div>
          <Bars
            counts={rates}
            label={`Requests per second while this page was open: now ${now?.toFixed(1)}, at most ${Math.max(...rates).toFixed(1)}`}
          />
          <Text size="sm" c="dimmed">
            Requests per second, every {EVERY_MS / 1000} s since this page was opened
          </Text>
        </div>
      )}
    </Stack>
  );
}

/** Between one sample and the next. A server that was made anew began to count anew. */
function ratesOf(samples: readonly Traffic[]): number[] {
  return samples.slice(1).map(({ at, requests }, index) => {
    const before = samples[index];
    if (!before || at <= before.at) return 0;
    const more = requests >= before.requests ? requests - before.requests : requests;
    return (more * 1000) / (at - before.at);
  });
}

/** Seconds, as Prometheus estimates them: evenly within a bucket. */
function quantile({ requests: total, buckets }: Traffic, share: number): number | undefined {
  if (total === 0) return undefined;
  const rank = share * total;
  let [from, below] = [0, 0];
  for (const { upTo, count: within } of buckets) {
    if (within >= rank) return from + ((upTo - from) * (rank - below)) / Math.max(1, within - below);
    [from, below] = [upTo, within];
  }
  // Longer than the last bucket tells.
  return Number.POSITIVE_INFINITY;
}

const milliseconds = (seconds: number | undefined): string =>
  seconds === undefined
    ? "…"
    : Number.isFinite(seconds)
      ? `${Number((seconds * 1000).toPrecision(2))} ms`
      : "more than 10 s";
