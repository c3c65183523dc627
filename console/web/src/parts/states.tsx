/** What a page shows when there is nothing to show: yet, at all, to this user, or because something failed. */
import { Alert, Button, Center, Group, Loader, Paper, Stack, Text } from "@mantine/core";
import type { ReactNode } from "react";
import { refusalOf, sentenceOf } from "../api.ts";

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

export function Problem({ error, onRetry }: { error: unknown; onRetry?: (() => void) | undefined }) {
  const refusal = refusalOf(error);
  if (refusal === "FORBIDDEN") return <Forbidden>{sentenceOf(error)}</Forbidden>;
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
