/** A button that asks once more before it does what cannot be undone. */
import { Button, Group, Modal, Stack, Text } from "@mantine/core";
import { useState } from "react";
import { sentenceOf } from "../api.ts";

export function ConfirmButton({
  label,
  question,
  onConfirm,
}: {
  label: string;
  question: string;
  onConfirm: () => Promise<void>;
}) {
  const [open, setOpen] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const confirm = async (): Promise<void> => {
    setBusy(true);
    setProblem("");
    try {
      await onConfirm();
      setOpen(false);
    } catch (error) {
      setProblem(sentenceOf(error));
    }
    setBusy(false);
  };
  return (
    <>
      <Button variant="default" onClick={() => setOpen(true)}>
        {label}
      </Button>
      <Modal
        opened={open}
        onClose={() => setOpen(false)}
        title={`${label}?`}
        removeScrollProps={{ enabled: false }}
        closeButtonProps={{ "aria-label": "Close" }}
      >
        <Stack>
          <Text>{question}</Text>
          {problem !== "" && (
            <Text c="var(--mantine-color-error)" role="alert">
              {problem}
            </Text>
          )}
          <Group>
            <Button color="red" loading={busy} onClick={() => void confirm()}>
              {label}
            </Button>
            <Button variant="default" onClick={() => setOpen(false)}>
              Keep it
            </Button>
          </Group>
        </Stack>
      </Modal>
    </>
  );
}
