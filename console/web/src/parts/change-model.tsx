/** Has a deployment serve another model: back to one of before, where a newer one turned out to be worse, or on to a newer one. */
import { Button, Group, Modal, NativeSelect, Stack, Text } from "@mantine/core";
import { type FormEvent, useState } from "react";
import type { DeploymentRow } from "../../../server/rows.ts";
import { api, sentenceOf } from "../api.ts";
import { useRows } from "../live.tsx";
import { when } from "./format.ts";
import { Loading, Problem } from "./states.tsx";

/** Models to choose from; the page of an older one deploys it too. */
const NEWEST = 100;

export function ChangeModel({ deployment }: { deployment: DeploymentRow }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button
        variant="default"
        size="compact-sm"
        aria-label={`Change model of ${deployment.name}`}
        onClick={() => setOpen(true)}
      >
        Change model
      </Button>
      <Modal
        opened={open}
        onClose={() => setOpen(false)}
        title={`Which model ${deployment.name} serves`}
        removeScrollProps={{ enabled: false }}
        closeButtonProps={{ "aria-label": "Close" }}
      >
        {open && <Choice deployment={deployment} onDone={() => setOpen(false)} />}
      </Modal>
    </>
  );
}

function Choice({
  deployment: { namespace, name, job },
  onDone,
}: {
  deployment: DeploymentRow;
  onDone: () => void;
}) {
  const list = useRows("TrainingJob", { ready: true, limit: NEWEST });
  const [chosen, setChosen] = useState("");
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  if (list.isPending) return <Loading what="the models" />;
  if (!list.data) return <Problem error={list.error} onRetry={() => list.refetch()} />;
  const others = list.data.rows.filter((one) => one.namespace === namespace && one.name !== job);
  const [first] = others;
  if (!first) return <Text>There is no other model in this namespace.</Text>;
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    setProblem("");
    try {
      const place = { namespace, name: chosen || first.name };
      await api.models.deploy.mutate({ place, deployment: name });
      onDone();
    } catch (error) {
      setProblem(sentenceOf(error));
      setBusy(false);
    }
  };
  return (
    <form onSubmit={(event) => void submit(event)}>
      <Stack>
        <Text className="wrap">
          It serves the model of {job}, and goes on with it until servers with the other one are ready.
        </Text>
        <NativeSelect
          label="Model of job"
          value={chosen || first.name}
          onChange={(event) => setChosen(event.currentTarget.value)}
          data={others.map((one) => ({
            value: one.name,
            label: `${one.name}, scored ${one.score ?? "?"}, of ${when(one.finished)}`,
          }))}
          error={problem || undefined}
          data-autofocus
        />
        <Group>
          <Button type="submit" loading={busy}>
            Serve it
          </Button>
          <Button variant="default" onClick={onDone}>
            Cancel
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
