/** One file on its way: progress, cancel, and going on after it was cut off. */
import { Alert, Button, Group, Paper, Progress, Stack, Text } from "@mantine/core";
import { useEffect, useRef, useState } from "react";
import { sentenceOf } from "../api.ts";
import { type Target, upload } from "../upload.ts";
import { bytes } from "./format.ts";

export function Uploader({
  target,
  file,
  onDone,
  onCancel,
}: {
  target: Target;
  file: File;
  onDone: () => void;
  onCancel: () => void;
}) {
  const [sent, setSent] = useState(0);
  const [problem, setProblem] = useState("");
  const [attempt, setAttempt] = useState(0);
  const done = useRef(onDone);
  done.current = onDone;

  // biome-ignore lint/correctness/useExhaustiveDependencies: an attempt is what makes it go on
  useEffect(() => {
    const stop = new AbortController();
    setProblem("");
    upload({ target, file, signal: stop.signal, onProgress: setSent }).then(
      () => done.current(),
      (error) => {
        if (!stop.signal.aborted) setProblem(sentenceOf(error));
      },
    );
    return () => stop.abort();
  }, [target.namespace, target.name, file, attempt]);

  const percent = Math.floor((sent / Math.max(1, file.size)) * 100);
  return (
    <Paper withBorder p="md">
      <Stack gap="sm">
        <Text className="wrap">
          {file.name}: {bytes(sent)} of {bytes(file.size)}
        </Text>
        <Progress value={percent} aria-label={`Upload of ${file.name}`} size="lg" />
        {problem !== "" && (
          <Alert color="red" variant="outline" title="The upload was cut off" role="alert">
            {problem}
          </Alert>
        )}
        <Group>
          {problem !== "" && <Button onClick={() => setAttempt((count) => count + 1)}>Go on</Button>}
          <Button variant="default" onClick={onCancel}>
            Cancel
          </Button>
        </Group>
      </Stack>
    </Paper>
  );
}
