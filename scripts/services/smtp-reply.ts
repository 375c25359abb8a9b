/** One SMTP reply as received, with all its lines (RFC 5321 section 4.2). */
export class Reply {
  /** @param raw every byte of the reply, the CRLFs included */
  constructor(readonly raw: string) {}

  get code(): number {
    return Number(this.raw.slice(0, 3))
  }

  /** Its lines without CRLF, each with its code. */
  get lines(): string[] {
    return this.raw.split('\r\n').slice(0, -1)
  }

  /** Whether it is positive (2xx, 3xx). */
  get positive(): boolean {
    return this.code >= 200 && this.code < 400
  }

  /** The lines as a person would read them. */
  toString(): string {
    return this.lines.join('\n')
  }
}

/** Cuts the bytes of a session into replies. */
export class ReplyParser {
  #rest = ''
  #lines = ''

  /** Adds bytes, and returns the replies that they complete. */
  push(bytes: string): Reply[] {
    const replies: Reply[] = []
    this.#rest += bytes
    for (let end = this.#rest.indexOf('\n'); end !== -1; end = this.#rest.indexOf('\n')) {
      const line = this.#rest.slice(0, end + 1)
      this.#rest = this.#rest.slice(end + 1)
      this.#lines += line
      // A hyphen after the code: more lines follow (RFC 5321 section 4.2.1).
      if (/^\d{3}-/.test(line)) continue
      replies.push(new Reply(this.#lines))
      this.#lines = ''
    }
    return replies
  }

  /** The incomplete rest of the input. */
  get partial(): string {
    return this.#lines + this.#rest
  }
}
