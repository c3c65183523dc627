import { expect, test } from "vitest";
import { WaitingError } from "../engine/errors.ts";
import { Room } from "./room.ts";

test("no more is held at once than there is room for, and what is given back is given to the next", () => {
  const room = new Room(100);
  const release = room.take("a", 60);
  room.take("b", 40);
  expect(() => room.take("c", 1)).toThrow(WaitingError);
  release();
  release();
  room.take("c", 60);
  expect(() => room.take("d", 1)).toThrow(WaitingError);
});

test("a large one is not passed by small ones for ever", () => {
  const room = new Room(100);
  const release = room.take("a", 60);
  expect(() => room.take("large", 100)).toThrow(WaitingError);
  expect(() => room.take("small", 1)).toThrow(WaitingError);
  release();
  expect(() => room.take("small", 1)).toThrow(WaitingError);
  room.take("large", 100)();
  room.take("small", 1);
});

test("who does not ask again holds up nobody", () => {
  const clock = { at: 0 };
  const room = new Room(100, () => clock.at);
  const release = room.take("a", 100);
  expect(() => room.take("deleted", 100)).toThrow(WaitingError);
  clock.at += 10_000;
  expect(() => room.take("b", 1)).toThrow(WaitingError);
  release();
  clock.at += 10_000;
  room.take("b", 1);
});
