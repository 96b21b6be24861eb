import { expect, test } from 'vitest';
import { FairSlots, type Party } from '../../src/async/fair-slots.ts';

/** How many slots a party takes until it must leave the rest to others. */
function taken(slots: FairSlots, party: Party): number {
  let count = 0;
  for (; slots.admits(party); count += 1) slots.take(party);
  return count;
}
const alice = { workspaceId: 'one', owner: 'alice' };
const bob = { workspaceId: 'one', owner: 'bob' };
const one = { workspaceId: 'one', owner: '' };
const other = { workspaceId: 'other', owner: '' };

test.each([
  [500, 320, 400],
  [50, 32, 40],
  [10, 6, 8],
  [8, 4, 6],
  [4, 2, 3],
  [3, 1, 2],
  [2, 1, 2],
  [1, 1, 1],
])('of %i slots a user takes at most %i, and a workspace %i', (total, byUser, byWorkspace) => {
  expect(taken(new FairSlots(total), alice)).toBe(byUser);
  expect(taken(new FairSlots(total), one)).toBe(byWorkspace);
});

test('another user, and another workspace, gets a slot of what is left', () => {
  const slots = new FairSlots(10);
  taken(slots, alice);
  expect(taken(slots, bob)).toBeGreaterThan(0);
  expect(taken(slots, other)).toBeGreaterThan(0);
});

test('a slot is given back once', () => {
  const slots = new FairSlots(4);
  const giveBack = slots.take(alice);
  slots.take(bob);
  giveBack();
  giveBack();
  expect([slots.free, slots.heldIn('one'), slots.heldBy(alice), slots.holders]).toEqual([
    3,
    1,
    0,
    [{ ...bob, slots: 1 }],
  ]);
});
