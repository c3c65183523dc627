/** Figures beside each other: what each is, the value, and how it is to be read. */

import type { StyleProp } from "@mantine/core";
import { SimpleGrid, Text } from "@mantine/core";

export type FigureProps = {
  readonly label: string;
  readonly value: string;
  readonly note?: string | undefined;
  readonly size?: "lg" | "xl";
};

export function Figure({ label, value, note, size = "lg" }: FigureProps) {
  return (
    <div>
      <Text size="sm" c="dimmed">
        {label}
      </Text>
      <Text fz={size} fw={700}>
        {value}
      </Text>
      {note && (
        <Text size="sm" c="dimmed">
          {note}
        </Text>
      )}
    </div>
  );
}

export function Figures({
  figures,
  columns,
}: {
  figures: readonly FigureProps[];
  columns: StyleProp<number>;
}) {
  return (
    <SimpleGrid cols={columns}>
      {figures.map((figure) => (
        <Figure key={figure.label} {...figure} />
      ))}
    </SimpleGrid>
  );
}
