const SPACE = 0x20
const TAB = 0x09
const CR = 0x0d
const LF = 0x0a

/**
 * The relaxed canonicalization of white space in a body (RFC 6376 §3.4.4, a): runs of it are one space, and none is left
 * at the end of a line. mailauth does the same once more, and finds nothing to do: of a body that is all white space and
 * short lines it makes an object for each line, which takes seconds and a gigabyte for a few megabytes.
 */
export class RelaxedBody {
  #space = false
  #cr = false

  /** @param chunk with CRLF at the end of lines */
  push(chunk: Buffer): Buffer {
    // What was held back is two octets at most.
    const result = Buffer.allocUnsafe(chunk.length + 2)
    let length = 0
    for (const octet of chunk) {
      if (this.#cr) {
        this.#cr = false
        if (octet === LF) {
          this.#space = false
          result[length++] = CR
          result[length++] = LF
          continue
        }
        if (this.#space) result[length++] = SPACE
        this.#space = false
        result[length++] = CR
      }
      if (octet === SPACE || octet === TAB) this.#space = true
      else if (octet === CR) this.#cr = true
      else {
        if (this.#space) result[length++] = SPACE
        this.#space = false
        result[length++] = octet
      }
    }
    return result.subarray(0, length)
  }

  /** What was held back. White space at the end of the body is dropped with the line end that RFC 6376 adds. */
  end(): Buffer {
    return this.#cr ? Buffer.from([CR]) : Buffer.alloc(0)
  }
}
