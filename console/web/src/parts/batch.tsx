/** A CSV of rows in, a CSV of predictions out. */
import { Alert, Anchor, Stack, Text } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useEffect } from "react";
import { send, sentenceOf } from "../api.ts";
import { FileDrop } from "./file-drop.tsx";
import { bytes } from "./format.ts";
import { Loading } from "./states.tsx";

export function Batch({ place: { namespace, name } }: { place: { namespace: string; name: string } }) {
  const scored = useMutation({
    mutationFn: async (file: File) => {
      const response = await send(`/api/predictions/${namespace}/${name}`, {
        method: "POST",
        headers: { "content-type": "application/octet-stream" },
        body: file,
      });
      const blob = await response.blob();
      return { url: URL.createObjectURL(blob), size: blob.size, of: file.name };
    },
  });
  const url = scored.data?.url;
  useEffect(() => (url === undefined ? undefined : () => URL.revokeObjectURL(url)), [url]);
  return (
    <Stack>
      <Text>
        A CSV with the columns that the model was trained on, in any order; the target may be missing.
      </Text>
      <FileDrop label="Choose a CSV" note="At most 100 MB." onFile={(file) => scored.mutate(file)} />
      <div role="status" aria-live="polite">
        {scored.isPending && <Loading what="the predictions" />}
        {scored.isError && (
          <Alert color="red" variant="outline" title="The rows were not predicted" className="wrap">
            {sentenceOf(scored.error)}
          </Alert>
        )}
        {scored.data && (
          <Text>
            <Anchor href={scored.data.url} download={`${name}-predictions.csv`}>
              Download the predictions
            </Anchor>{" "}
            of {scored.data.of}, {bytes(scored.data.size)}
          </Text>
        )}
      </div>
    </Stack>
  );
}
