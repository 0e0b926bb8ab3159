/** The state of a connection that the generator has under way: one row of int32 words. */

export const enum Slot {
  STRIDE = 16,
  /** -1 until its first packet. */
  SCRIPT = 0,
  /** Next step of its script, and how many there are, repetitions included. */
  STEP = 1,
  STEPS = 2,
  REPEATS = 3,
  CLIENT = 4,
  SERVER = 5,
  PORT = 6,
  ISN_ORIG = 7,
  ISN_RESP = 8,
  /** A step to be sent (again) when `STEP` reaches `DUE`; -1 for none. */
  PENDING = 9,
  DUE = 10,
  NUMBER = 11,
}
