import { Button, Group, Stack } from "@mantine/core";
import { useClipboard } from "@mantine/hooks";
import { Block } from "./block.tsx";

/** A text to read, and to take along. */
export function CopyText({ text, label }: { text: string; label: string }) {
  const clipboard = useClipboard({ timeout: 2000 });
  return (
    <Stack gap="xs">
      <Block label={label} soft>
        {text}
      </Block>
      <Group>
        <Button variant="default" size="xs" onClick={() => clipboard.copy(text)}>
          {clipboard.copied ? "Copied" : "Copy"}
        </Button>
        <span className="hidden" role="status">
          {clipboard.copied ? `${label} copied` : ""}
        </span>
      </Group>
    </Stack>
  );
}
