/** What a model was asked, and what it answered. */
import { Anchor, Group, NativeSelect, ScrollArea, Stack, Table, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "../api.ts";
import { count, when } from "./format.ts";
import { Empty, Loading, Problem } from "./states.tsx";

const HOURS = [
  { value: "1", label: "the last hour" },
  { value: "24", label: "the last day" },
  { value: "168", label: "the last week" },
  { value: "8760", label: "the last year" },
];

export function PredictionLog({ place }: { place: { namespace: string; name: string } }) {
  const [hours, setHours] = useState("24");
  const [contains, setContains] = useState("");
  const [words] = useDebouncedValue(contains, 300);
  const [opened] = useState(() => Date.now());
  const since = opened - Number(hours) * 3_600_000;
  const log = useQuery({
    queryKey: ["log", place, since, words],
    queryFn: () => api.models.log.query({ place, since, contains: words }),
    placeholderData: keepPreviousData,
    staleTime: 0,
    // They get into the store up to a minute after they were made.
    refetchInterval: 10_000,
  });
  return (
    <Stack>
      <Group align="flex-end">
        <NativeSelect
          label="Of"
          value={hours}
          onChange={(event) => setHours(event.currentTarget.value)}
          data={HOURS}
        />
        <TextInput
          label="That contain"
          value={contains}
          onChange={(event) => setContains(event.currentTarget.value)}
          maxLength={200}
        />
        <Anchor
          href={`/api/predictions/${place.namespace}/${place.name}?${new URLSearchParams({ since: String(since), contains: words })}`}
          download
        >
          Download
        </Anchor>
      </Group>
      {log.isPending && <Loading what="the log" />}
      {log.isError && <Problem error={log.error} onRetry={() => log.refetch()} />}
      {log.data?.entries.length === 0 && (
        <Empty title="Nothing was asked">
          What is predicted is logged, within a minute where a cluster serves it; nothing of it fits.
        </Empty>
      )}
      {log.data && log.data.entries.length > 0 && (
        <>
          <Text size="sm" c="dimmed" role="status">
            {count(log.data.matching)} {log.data.matching === 1 ? "request" : "requests"}, the newest{" "}
            {count(log.data.entries.length)} here
          </Text>
          <ScrollArea
            type="auto"
            viewportProps={{ tabIndex: 0, "aria-label": "Predictions", role: "region" }}
          >
            <Table miw={560}>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th scope="col">When</Table.Th>
                  <Table.Th scope="col">Prediction</Table.Th>
                  <Table.Th scope="col">Milliseconds</Table.Th>
                  <Table.Th scope="col">Asked</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {log.data.entries.map((entry) => (
                  <Table.Tr key={`${entry.requestId} ${entry.time}`}>
                    <Table.Td>{when(entry.time)}</Table.Td>
                    <Table.Td className="wrap">{entry.predictions.join(", ")}</Table.Td>
                    <Table.Td>{entry.milliseconds.toFixed(1)}</Table.Td>
                    <Table.Td>
                      <Text size="sm" className="mono wrap" lineClamp={3}>
                        {entry.inputs}
                      </Text>
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </ScrollArea>
        </>
      )}
    </Stack>
  );
}
