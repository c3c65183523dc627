/** Figures beside each other: what each is, the value, and how it is to be read. */

import type { StyleProp } from "@mantine/core";
import { SimpleGrid, Text } from "@mantine/core";

export type Figure = { readonly label: string; readonly value: string; readonly note: string };

export function Figures({ figures, columns }: { figures: readonly Figure[]; columns: StyleProp<number> }) {
  return (
    <SimpleGrid cols={columns}>
      {figures.map(({ label, value, note }) => (
        <div key={label}>
          <Text size="sm" c="dimmed">
            {label}
          </Text>
          <Text fz="lg" fw={700}>
            {value}
          </Text>
          <Text size="sm" c="dimmed">
            {note}
          </Text>
        </div>
      ))}
    </SimpleGrid>
  );
}
