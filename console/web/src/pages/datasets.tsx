import { Alert, Anchor, Button, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { useLocalStorage } from "@mantine/hooks";
import { useState } from "react";
import { Link, useLocation } from "wouter";
import type { DatasetRow } from "../../../server/rows.ts";
import { api, sentenceOf } from "../api.ts";
import type { Place } from "../live.tsx";
import { FileDrop } from "../parts/file-drop.tsx";
import { bytes, count, nameFrom, when } from "../parts/format.ts";
import { type Column, ResourceList } from "../parts/list.tsx";
import { Page } from "../parts/page.tsx";
import { StateBadge } from "../parts/state-badge.tsx";
import { Empty } from "../parts/states.tsx";
import { Uploader } from "../parts/uploader.tsx";
import { useMe } from "../session.tsx";
import { MAX_BYTES, type Target } from "../upload.ts";

const COLUMNS: readonly Column<DatasetRow>[] = [
  {
    title: "Data set",
    cell: (dataset) => (
      <Anchor size="sm" component={Link} href={`/datasets/${dataset.key}`} className="wrap">
        {dataset.name}
      </Anchor>
    ),
  },
  { title: "State", cell: ({ state }) => <StateBadge state={state} /> },
  { title: "Rows", cell: ({ rows }) => count(rows) },
  { title: "Columns", cell: ({ columns }) => count(columns) },
  { title: "Size", cell: ({ sizeBytes }) => bytes(sizeBytes) },
  { title: "Warnings", cell: ({ warnings }) => (warnings === 0 ? "" : count(warnings)) },
  { title: "Made", cell: ({ created }) => when(created) },
];

export default function Datasets() {
  const me = useMe();
  const [stored] = useLocalStorage({ key: "autoai-namespace", defaultValue: me.namespace });
  const namespace = me.mode === "Embedded" ? me.namespace : stored;
  const [, navigate] = useLocation();
  const [chosen, setChosen] = useState<{ file: File; place: Place }>();
  const [uploading, setUploading] = useState<{ target: Target; file: File }>();
  const [problem, setProblem] = useState("");

  const choose = (file: File): void => {
    setProblem("");
    if (file.size === 0) setProblem(`${file.name} is empty.`);
    else if (file.size > MAX_BYTES) {
      setProblem(
        `${file.name} has ${bytes(file.size)}; a data set has at most 100 MB: take a sample of its rows.`,
      );
    } else void named(file);
  };
  const named = async (file: File): Promise<void> => {
    const place = { namespace, name: nameFrom(file.name) };
    const name = await api.resources.freeName.query({ kind: "Dataset", place }).catch(() => place.name);
    setChosen({ file, place: { namespace, name } });
  };
  const cancel = async (): Promise<void> => {
    const target = uploading?.target;
    setUploading(undefined);
    if (target) await api.datasets.remove.mutate(target).catch((error) => setProblem(sentenceOf(error)));
  };
  return (
    <Page title="Datasets">
      {problem !== "" && (
        <Alert color="red" variant="outline" title="This file was not taken" role="alert">
          {problem}
        </Alert>
      )}
      {uploading ? (
        <Uploader
          {...uploading}
          onDone={() => navigate(`/datasets/${uploading.target.namespace}/${uploading.target.name}`)}
          onCancel={() => void cancel()}
        />
      ) : (
        <FileDrop
          label="Choose a CSV"
          note="At most 100 MB. The first line names the columns."
          onFile={choose}
        />
      )}
      {chosen && (
        <NameDialog
          {...chosen}
          onClose={() => setChosen(undefined)}
          onMade={(target) => {
            setUploading({ target, file: chosen.file });
            setChosen(undefined);
          }}
        />
      )}
      <ResourceList
        kind="Dataset"
        columns={COLUMNS}
        label="data sets"
        empty={
          <Empty title="No data set yet">
            A data set is a CSV that was taken in once, and that any number of jobs can name.
          </Empty>
        }
      />
    </Page>
  );
}

function NameDialog({
  file,
  place: { namespace, name: free },
  onClose,
  onMade,
}: {
  file: File;
  /** Where it goes, by a name that is free. */
  place: Place;
  onClose: () => void;
  onMade: (target: Target) => void;
}) {
  const [name, setName] = useState(free);
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const make = async (): Promise<void> => {
    setBusy(true);
    setProblem("");
    try {
      await api.datasets.announce.mutate({ namespace, name });
      onMade({ namespace, name });
    } catch (error) {
      setProblem(sentenceOf(error));
      setBusy(false);
    }
  };
  return (
    <Modal
      opened
      onClose={onClose}
      title="A name for the data set"
      removeScrollProps={{ enabled: false }}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void make();
        }}
      >
        <Stack>
          <Text size="sm" className="wrap">
            {file.name}, {bytes(file.size)}
          </Text>
          <TextInput
            label="Name"
            description="Lower case letters, digits and dashes."
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
            error={problem || undefined}
            data-autofocus
            required
          />
          <Group>
            <Button type="submit" loading={busy}>
              Upload
            </Button>
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
