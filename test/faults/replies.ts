/** Replies of an agent that uses every tool, two of them in one reply, and finishes by itself. */
export const REPLIES: readonly (readonly { name: string; args: unknown }[])[] = [
  [{ name: "install_dependencies", args: { packages: ["lightgbm"] } }],
  [
    { name: "write_python_file", args: { path: "train.py", content: "print(1)\n" } },
    { name: "execute_python_file", args: { path: "train.py" } },
  ],
  [
    {
      name: "save_model_settings",
      args: { name: "model", description: "d", entry: "train.py", claimed_score: 0.9 },
    },
  ],
  [],
];
