import { Alert, Button, Container, PasswordInput, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { send, sentenceOf } from "./api.ts";
import { Loading } from "./parts/states.tsx";

/** By the one-time address of the terminal, or by a token, as the console is set up. */
export function SignIn() {
  const how = useQuery({
    queryKey: ["sign-in"],
    queryFn: async () =>
      (await (await send("/api/sign-in", { method: "GET" })).json()) as { how: "Address" | "Token" },
    retry: false,
  });
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const tried = useRef("");

  async function signIn(credential: string): Promise<void> {
    setBusy(true);
    setProblem("");
    try {
      const body = JSON.stringify({ credential });
      await send("/api/sign-in", { method: "POST", headers: { "content-type": "application/json" }, body });
      window.location.replace("/");
    } catch (error) {
      setProblem(sentenceOf(error));
      setBusy(false);
    }
  }

  // The ticket stands behind the #, which no server and no log sees; it leaves the address bar at once.
  // biome-ignore lint/correctness/useExhaustiveDependencies: once, when the page is opened
  useEffect(() => {
    const take = (): void => {
      const ticket = window.location.hash.slice(1);
      if (ticket === "" || ticket === tried.current) return;
      tried.current = ticket;
      window.history.replaceState(null, "", "/sign-in");
      void signIn(ticket);
    };
    take();
    // Whoever is here already and opens the next address stays on the same page, as browsers see it.
    window.addEventListener("hashchange", take);
    return () => window.removeEventListener("hashchange", take);
  }, []);

  if (how.isPending || (busy && how.data?.how !== "Token")) return <Loading what="the console" />;
  return (
    <Container size="xs" py="xl" component="main">
      <Stack>
        <Title order={1}>Sign in to AutoAI</Title>
        {problem !== "" && (
          <Alert color="red" variant="outline" title="That did not work" role="alert">
            {problem}
          </Alert>
        )}
        {how.data?.how === "Token" ? (
          <TokenForm busy={busy} onToken={signIn} />
        ) : (
          <Text>
            Open the address that the terminal shows, where <code>autoai console</code> runs. It is good once;
            after that, the terminal shows the next one.
          </Text>
        )}
      </Stack>
    </Container>
  );
}

function TokenForm({ busy, onToken }: { busy: boolean; onToken: (token: string) => void }) {
  const [token, setToken] = useState("");
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    onToken(token.trim());
  };
  return (
    <form onSubmit={submit}>
      <Stack>
        <PasswordInput
          label="Token"
          description="A bearer token of the cluster, such as kubectl create token NAME prints. It is kept in your session's encrypted cookie, and nowhere else."
          value={token}
          onChange={(event) => setToken(event.currentTarget.value)}
          autoComplete="off"
          required
        />
        <Button type="submit" loading={busy} disabled={token.trim() === ""}>
          Sign in
        </Button>
      </Stack>
    </form>
  );
}
