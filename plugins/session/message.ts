import { PassThrough, type Readable } from 'node:stream'

/** What we read of Haraka's transaction at the end of DATA. */
export interface MessageSource {
  /** haraka-message-stream. It is read once at a time. */
  readonly message_stream: {
    pipe(destination: NodeJS.WritableStream): unknown
    /** Ends the reading at once. */
    unpipe(): void
  }
  /** Octets that came in DATA. */
  readonly data_bytes: number
}

/**
 * The message as it would be delivered now: with what plugins made of its header and with Haraka's own Received, not
 * dot-stuffed, with CRLF; from memory or from the spool file.
 *
 * Destroy it, however far it was read, before anything else reads the message: Haraka's stream throws where two read at a
 * time, and it would notice only a turn after the event `close`, when the queue is at it.
 */
export function messageIn({ message_stream: stream }: MessageSource): Readable {
  const message = new PassThrough({
    destroy(error, done) {
      stream.unpipe()
      done(error)
    },
  })
  stream.pipe(message)
  return message
}
