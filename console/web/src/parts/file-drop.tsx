/** Where a CSV is dropped, or chosen with a button. */
import { Button, Stack, Text } from "@mantine/core";
import { useRef, useState } from "react";

export function FileDrop({
  label,
  note,
  onFile,
}: {
  label: string;
  note: string;
  onFile: (file: File) => void;
}) {
  const input = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the button in it does the same by keyboard
    <div
      className="drop"
      data-over={over || undefined}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        const file = event.dataTransfer.files[0];
        if (file) onFile(file);
      }}
    >
      <Stack align="center" gap="xs">
        <Text>Drop a CSV here, or</Text>
        <Button onClick={() => input.current?.click()}>{label}</Button>
        <Text size="sm" c="dimmed">
          {note}
        </Text>
        <input
          ref={input}
          className="hidden"
          type="file"
          accept=".csv,text/csv,text/plain"
          tabIndex={-1}
          aria-label={label}
          onChange={(event) => {
            const file = event.currentTarget.files?.[0];
            event.currentTarget.value = "";
            if (file) onFile(file);
          }}
        />
      </Stack>
    </div>
  );
}
