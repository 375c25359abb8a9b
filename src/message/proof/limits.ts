// What a proof may cost. A message past one of these has no proof, whatever it holds, and is not refused for that; only
// one that gets no turn is deferred.

/**
 * For what comes before the body, DNS above all, and again for the body, in ms. The client waits for the answer to its
 * final dot; RFC 5321 §4.5.3.2.6 lets it wait ten minutes.
 */
export const TIME_LIMIT = 5000

/**
 * Bodies that a process reads at a time. They wait for nothing but the processor, so that more of them make each take
 * longer, until a burst of large forwards has no proof in time for a single one. A tenant alone gets half of these places,
 * and of those below (see `Limiter`).
 */
export const BODIES_AT_ONCE = 4

/**
 * Messages of a process whose header is read and whose keys are asked for at a time. Most of it is waiting for DNS; with
 * more of them answers lie there until their time is over, while the process is busy with the others.
 */
export const LOOKS_AT_ONCE = 32

/** How long a message waits for its turns, both together, in ms. */
export const TURN_LIMIT = 20_000

/** Messages of a process that wait for a turn, for each of the two. A tenant has 200 recipients on their way at most. */
export const MAX_WAITING = 1000

/** In octets: Haraka's own limit of a message as it is shipped (`databytes`). It takes about half a second of CPU. */
export const MAX_SIZE = 26_214_400

/** Of a header, in octets. Exchange takes 256 KB, Postfix 100 KB; what mailauth does with one grows faster than its size. */
export const MAX_HEADER = 262_144

/** Of a header. Haraka keeps the first 1000, as it is shipped. */
export const MAX_HEADER_LINES = 2000

/** Of a line, in octets. RFC 5322 §2.1.1 has 998, and Haraka breaks longer ones; mailauth reads one anew with each chunk. */
export const MAX_LINE = 65_536

/** DKIM-Signature fields. Real mail has one to three; RFC 6376 §6.1 leaves it to the verifier how many it looks at. */
export const MAX_SIGNATURES = 10

/** Sets of an ARC chain. RFC 8617 §4.2.1 allows 50, and real mail has one to five; each costs a question to DNS. */
export const MAX_SEALS = 20

/** Of a DKIM-Signature, ARC-Message-Signature or ARC-Seal field, in octets: names and a signature of 512 octets take 2 KB. */
export const MAX_SIGNATURE_FIELD = 8192

/** Names in `h=`, each of which is looked for in all of the header. */
export const MAX_NAMES = 200

/** Of a key record, in octets. An RSA key of 4096 bits takes 736. */
export const MAX_KEY_RECORD = 4096

/**
 * ms until a question is asked a second time, of the next server if there is one. An answer that came while the process
 * was busy must not be too late. The second wait is longer, so that the time limit mostly ends it.
 */
export const DNS_TIMEOUT = 2000
export const DNS_TRIES = 2
