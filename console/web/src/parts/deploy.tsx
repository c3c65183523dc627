/** Has a deployment serve this model: the way forward, and the way back. */
import { Button, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { type FormEvent, useState } from "react";
import { useLocation } from "wouter";
import { api, sentenceOf } from "../api.ts";
import { useRow } from "../live.tsx";

export function Deploy({ place }: { place: { namespace: string; name: string } }) {
  const [open, setOpen] = useState(false);
  const [name, setName] = useState(place.name);
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const [, navigate] = useLocation();
  const [asked] = useDebouncedValue(name, 200);
  const { data: known, isError } = useRow("ModelDeployment", { namespace: place.namespace, name: asked });
  const present = known?.name === name && !isError ? known : undefined;
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    setProblem("");
    try {
      await api.models.deploy.mutate({ place, deployment: name });
      navigate("/models");
    } catch (error) {
      setProblem(sentenceOf(error));
      setBusy(false);
    }
  };
  return (
    <>
      <Button onClick={() => setOpen(true)}>Deploy</Button>
      <Modal
        opened={open}
        onClose={() => setOpen(false)}
        title="Deploy this model"
        removeScrollProps={{ enabled: false }}
        closeButtonProps={{ "aria-label": "Close" }}
      >
        <form onSubmit={(event) => void submit(event)}>
          <Stack>
            <TextInput
              label="Deployment"
              description="A new one, or one that is there: it then serves this model."
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
              error={problem || undefined}
              data-autofocus
              required
            />
            {present && (
              <Text size="sm" className="wrap">
                {present.name} serves the model of {present.job} now; the model of {place.name} takes its
                place.
              </Text>
            )}
            <Group>
              <Button type="submit" loading={busy}>
                {present ? "Change" : "Deploy"}
              </Button>
              <Button variant="default" onClick={() => setOpen(false)}>
                Cancel
              </Button>
            </Group>
          </Stack>
        </form>
      </Modal>
    </>
  );
}
