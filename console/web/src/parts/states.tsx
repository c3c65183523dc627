/** What a page shows when there is nothing to show: yet, at all, to this user, or because something failed. */
import { Alert, Button, Center, Group, Loader, Paper, Stack, Text } from "@mantine/core";
import type { ReactNode } from "react";
import { refusalOf, sentenceOf } from "../api.ts";
import type { Kind } from "../live.tsx";

export function Loading({ what }: { what: string }) {
  return (
    <Center mih={160} role="status" aria-live="polite">
      <Group>
        <Loader size="sm" aria-hidden />
        <Text c="dimmed">Loading {what}…</Text>
      </Group>
    </Center>
  );
}

export function Empty({
  title,
  children,
  action,
}: {
  title: string;
  children: ReactNode;
  action?: ReactNode;
}) {
  return (
    <Paper withBorder p="xl">
      <Stack align="flex-start" gap="sm">
        <Text fw={600}>{title}</Text>
        <Text c="dimmed">{children}</Text>
        {action}
      </Stack>
    </Paper>
  );
}

/** Shown even where something is here from before: who may no longer see it, sees it no longer. */
export const isDenied = (error: unknown): boolean => refusalOf(error) === "FORBIDDEN";
export const isMissing = (error: unknown): boolean => refusalOf(error) === "NOT_FOUND";

export const deniedList = (kind: Kind): string => `You may not list the ${kind}s of this namespace.`;

export function Problem({
  error,
  onRetry,
  denied,
}: {
  error: unknown;
  onRetry?: (() => void) | undefined;
  /** What is told who may not; absent: what the server says. */
  denied?: string;
}) {
  const refusal = refusalOf(error);
  if (refusal === "FORBIDDEN") return <Forbidden>{denied ?? sentenceOf(error)}</Forbidden>;
  return (
    <Alert
      color="red"
      variant="outline"
      title={refusal === "NOT_FOUND" ? "It is not there" : "That did not work"}
      role="alert"
    >
      <Stack align="flex-start" gap="sm">
        <Text size="sm">{sentenceOf(error)}</Text>
        {onRetry && refusal !== "NOT_FOUND" && (
          <Button variant="default" size="xs" onClick={onRetry}>
            Try again
          </Button>
        )}
      </Stack>
    </Alert>
  );
}

export function Forbidden({ children }: { children: ReactNode }) {
  return (
    <Alert color="yellow" variant="outline" title="You may not see this" role="alert">
      <Text size="sm">{children}</Text>
      <Text size="sm" mt="xs">
        The console has no rights of its own: ask whoever looks after the namespace.
      </Text>
    </Alert>
  );
}
