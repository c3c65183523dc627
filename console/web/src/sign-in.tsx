import { Alert, Button, Container, Divider, PasswordInput, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { send, sentenceOf } from "./api.ts";
import { Loading } from "./parts/states.tsx";

type Ways = { readonly how: "Address" | "Token"; readonly provider?: string };

/** Where a provider sends browsers back to. */
const CALLBACK = "/sign-in/callback";

const post = async (path: string, body: object): Promise<unknown> => {
  const headers = { "content-type": "application/json" };
  return (await send(path, { method: "POST", headers, body: JSON.stringify(body) })).json();
};

/** By the one-time address of the terminal, at a provider, or by a token, as the console is set up. */
export function SignIn() {
  const how = useQuery({
    queryKey: ["sign-in"],
    queryFn: async () => (await (await send("/api/sign-in", { method: "GET" })).json()) as Ways,
    retry: false,
  });
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const tried = useRef("");

  async function attempt(doing: () => Promise<void>): Promise<void> {
    setBusy(true);
    setProblem("");
    try {
      await doing();
    } catch (error) {
      setProblem(sentenceOf(error));
      setBusy(false);
    }
  }
  const enter = (path: string, body: object): Promise<void> =>
    attempt(async () => {
      await post(path, body);
      window.location.replace("/");
    });
  const signIn = (credential: string): Promise<void> => enter("/api/sign-in", { credential });
  const leave = (): Promise<void> =>
    attempt(async () => {
      const { url } = (await post("/api/sign-in/begin", {})) as { url: string };
      window.location.assign(url);
    });

  // The ticket stands behind the #, which no server and no log sees; it leaves the address bar at once.
  // biome-ignore lint/correctness/useExhaustiveDependencies: once, when the page is opened
  useEffect(() => {
    const take = (): void => {
      const { pathname, search } = window.location;
      if (pathname === CALLBACK) {
        window.history.replaceState(null, "", "/sign-in");
        void enter("/api/sign-in/finish", { query: search });
        return;
      }
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
        {how.data?.provider !== undefined && (
          <>
            <Button loading={busy} onClick={() => void leave()}>
              Sign in with {how.data.provider}
            </Button>
            <Divider label="or" />
          </>
        )}
        {how.data?.how === "Token" ? (
          <TokenForm busy={busy} secondary={how.data.provider !== undefined} onToken={signIn} />
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

function TokenForm({
  busy,
  secondary,
  onToken,
}: {
  busy: boolean;
  /** There is another way in, which most people take. */
  secondary: boolean;
  onToken: (token: string) => void;
}) {
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
        <Button
          type="submit"
          variant={secondary ? "default" : "filled"}
          loading={busy}
          disabled={token.trim() === ""}
        >
          {secondary ? "Sign in with the token" : "Sign in"}
        </Button>
      </Stack>
    </form>
  );
}
