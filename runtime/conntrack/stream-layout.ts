/**
 * The state of one stream (a connection being reassembled or parsed): a row of int32 words with a Float64Array over
 * the same buffer, pooled, because few connections have one at a time. `s` is the index of its first word, never 0.
 */
export const enum Stream {
  STRIDE = 32,
  /** The connection's record. */
  CONN = 0,
  /** {@link L7State}. */
  L7 = 1,
  /** Parsers still possible, one bit each; once one is chosen, its number. */
  L7_WHICH = 2,
  /** First of the two blocks of direction words, originator first. `d` is a block's first word. */
  DIRS = 4,
  DIR_STRIDE = 12,
}

/** Words of one direction. */
export const enum Dir {
  /** Sequence number of the next byte to deliver. */
  NEXT = 0,
  /** {@link DirFlag} bits. */
  FLAGS = 1,
  /** Sequence number behind the last byte, once a FIN told it. */
  FIN = 2,
  /** First kept out-of-order cell, or 0. */
  HEAD = 3,
  /** Number of kept cells. */
  COUNT = 4,
  /** Bytes lost before the next piece. */
  LOST = 5,
  /** Time at which the present hole was first noticed, float64 seconds (an even word). */
  SINCE = 6,
}

export const enum DirFlag {
  /** NEXT is known. */
  STARTED = 1,
  /** FIN is known. */
  FIN = 2,
  /** Nothing more is delivered. */
  STOPPED = 4,
  /** Stands in the queue of holes that may time out. */
  QUEUED = 8,
}

export const enum L7State {
  PROBING = 0,
  PARSING = 1,
  DONE = 2,
}
