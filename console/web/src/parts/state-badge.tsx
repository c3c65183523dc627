import { Badge } from "@mantine/core";
import type { State } from "../../../server/rows.ts";

const COLORS: Readonly<Record<State, string>> = {
  Waiting: "gray",
  Working: "blue",
  Suspended: "yellow",
  Stalled: "orange",
  Ready: "green",
  Failed: "red",
  Deleting: "gray",
};

/** The state in words; the dot repeats it in colour. */
export function StateBadge({ state }: { state: State }) {
  return (
    <Badge variant="dot" color={COLORS[state]} tt="none" miw="max-content">
      {state}
    </Badge>
  );
}
