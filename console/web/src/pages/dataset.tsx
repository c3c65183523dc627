import {
  Alert,
  Button,
  Group,
  List,
  Paper,
  ScrollArea,
  SimpleGrid,
  Stack,
  Table,
  Text,
  Title,
} from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useLocation } from "wouter";
import { api } from "../api.ts";
import { type Place, useRow } from "../live.tsx";
import { Bars } from "../parts/bars.tsx";
import { ConfirmButton } from "../parts/confirm.tsx";
import { FileDrop } from "../parts/file-drop.tsx";
import { bytes, count } from "../parts/format.ts";
import { Page } from "../parts/page.tsx";
import { StateBadge } from "../parts/state-badge.tsx";
import { Empty, isDenied, isMissing, Loading, Problem } from "../parts/states.tsx";
import { Uploader } from "../parts/uploader.tsx";

type Profile = Awaited<ReturnType<typeof api.datasets.profile.query>>["profile"];
type Column = Profile["columns"][number];

/** More columns than anybody reads at once; the rest are in the profile. */
const SHOWN_COLUMNS = 120;

export default function DatasetPage({ namespace, name }: Place) {
  const { data: row, error, refetch } = useRow("Dataset", { namespace, name });
  const [, navigate] = useLocation();
  if (!row || isMissing(error) || isDenied(error)) {
    return (
      <Page title={name}>
        {error === null ? (
          <Loading what="the data set" />
        ) : isMissing(error) ? (
          <Empty title="There is no such data set">It was deleted, or never was.</Empty>
        ) : (
          <Problem error={error} onRetry={() => refetch()} />
        )}
      </Page>
    );
  }
  const isReady = row.state === "Ready";
  return (
    <Page
      title={name}
      actions={
        <>
          {isReady && (
            <Button component={Link} href={`/train?dataset=${name}&namespace=${namespace}`}>
              Train on it
            </Button>
          )}
          <ConfirmButton
            label="Delete"
            question="The rows and their profile go for good. Models that were trained on them stay."
            onConfirm={async () => {
              await api.datasets.remove.mutate({ namespace, name });
              navigate("/datasets");
            }}
          />
        </>
      }
    >
      <Group gap="md">
        <StateBadge state={row.state} />
        {isReady && (
          <Text c="dimmed">
            {[`${count(row.rows)} rows`, `${count(row.columns)} columns`, bytes(row.sizeBytes)]
              .filter((words) => words !== "")
              .join(", ")}
          </Text>
        )}
      </Group>
      {row.state === "Stalled" && (
        <Alert color="red" variant="outline" title="It could not be taken in" role="alert">
          <Text size="sm" className="wrap">
            {row.message}
          </Text>
          <Text size="sm" mt="xs">
            Mend the file and upload it as another data set.
          </Text>
        </Alert>
      )}
      {row.state === "Working" && <Loading what="what the intake makes of it" />}
      {row.state === "Waiting" && row.upload && <Resume namespace={namespace} name={name} />}
      {isReady && <Ready namespace={namespace} name={name} />}
    </Page>
  );
}

function Resume(target: Place) {
  const [file, setFile] = useState<File>();
  if (file) {
    return (
      <Uploader
        target={target}
        file={file}
        onDone={() => setFile(undefined)}
        onCancel={() => setFile(undefined)}
      />
    );
  }
  return (
    <Stack>
      <Text>
        Its file has not come yet, or not all of it. Choose the same file again: the upload goes on where it
        was.
      </Text>
      <FileDrop label="Choose the CSV" note="At most 100 MB." onFile={setFile} />
    </Stack>
  );
}

function Ready(place: Place) {
  const profile = useQuery({
    queryKey: ["profile", place],
    queryFn: () => api.datasets.profile.query(place),
    staleTime: Number.POSITIVE_INFINITY,
  });
  const histograms = useQuery({
    queryKey: ["histograms", place],
    queryFn: () => api.datasets.histograms.query(place),
    staleTime: Number.POSITIVE_INFINITY,
  });
  if (profile.isPending) return <Loading what="the profile" />;
  if (profile.isError) return <Problem error={profile.error} onRetry={() => profile.refetch()} />;
  const { columns, warnings, preview, rows } = profile.data.profile;
  return (
    <Stack gap="xl">
      {warnings.length > 0 && (
        <Alert color="yellow" variant="outline" title="To know before training">
          <List size="sm">
            {warnings.map(({ code, message }) => (
              <List.Item key={`${code} ${message}`} className="wrap">
                {message}
              </List.Item>
            ))}
          </List>
        </Alert>
      )}
      <section aria-labelledby="preview">
        <Title order={2} id="preview" mb="sm">
          First rows
        </Title>
        <ScrollArea type="auto" viewportProps={{ tabIndex: 0, "aria-label": "First rows", role: "region" }}>
          <Table striped withTableBorder className="mono">
            <Table.Thead>
              <Table.Tr>
                {preview.columns.map((column) => (
                  <Table.Th key={column} scope="col">
                    {column}
                  </Table.Th>
                ))}
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {preview.rows.map((cells, index) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: rows of a file are told apart by their place
                <Table.Tr key={index}>
                  {cells.map((cell, at) => (
                    <Table.Td key={preview.columns[at]} style={{ whiteSpace: "nowrap" }}>
                      {cell}
                    </Table.Td>
                  ))}
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </ScrollArea>
      </section>
      <section aria-labelledby="columns">
        <Title order={2} id="columns" mb="sm">
          Columns
        </Title>
        <SimpleGrid cols={{ base: 1, xs: 2, md: 3, lg: 4 }}>
          {columns.slice(0, SHOWN_COLUMNS).map((column, index) => (
            <ColumnCard
              key={column.name}
              column={column}
              rows={rows}
              bins={histograms.data?.columns[index]?.counts}
            />
          ))}
        </SimpleGrid>
        {columns.length > SHOWN_COLUMNS && (
          <Text c="dimmed" mt="sm">
            and {count(columns.length - SHOWN_COLUMNS)} more
          </Text>
        )}
        {histograms.data && histograms.data.ofFirst < rows && (
          <Text size="sm" c="dimmed" mt="sm">
            Histograms are of the first {count(histograms.data.ofFirst)} rows.
          </Text>
        )}
      </section>
    </Stack>
  );
}

function ColumnCard({
  column,
  rows,
  bins,
}: {
  column: Column;
  rows: number;
  bins: readonly number[] | undefined;
}) {
  const { name, type, missing, distinct, distinctExact, min, max, top } = column;
  const share = rows === 0 ? 0 : (missing / rows) * 100;
  return (
    <Paper withBorder p="sm">
      <Text fw={600} className="wrap">
        {name}
      </Text>
      <Text size="sm" c="dimmed">
        {type} · {distinctExact ? "" : "about "}
        {count(distinct)} {distinct === 1 ? "value" : "values"}
        {missing > 0 && ` · ${share < 0.1 ? "<0.1" : share.toFixed(1)} % missing`}
      </Text>
      {bins ? (
        <Bars counts={bins} label={`Histogram of ${name}, from ${min} to ${max}`} />
      ) : (
        top.length > 0 && (
          <Bars
            counts={top.map((one) => one.count)}
            label={`Most frequent values of ${name}: ${top.map((one) => `${one.value} ${one.count}`).join(", ")}`}
          />
        )
      )}
      <Text size="sm" c="dimmed" lineClamp={2} className="wrap">
        {min !== undefined
          ? `${min} to ${max}`
          : top
              .slice(0, 4)
              .map(({ value }) => value)
              .join(", ")}
      </Text>
    </Paper>
  );
}
