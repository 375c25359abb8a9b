import { InterruptedError, isStopped, type Work } from '../base/work'
import type { Records } from '../registry-file/parts'
import type { Verified } from '../registry-file/format'
import type { RegistryRecord } from '../registry-file/record'

/**
 * The records of a file, which a person follows and may stop.
 *
 * @param stands what Redis holds then.
 */
export function followed(
  file: Records,
  { records }: Verified,
  work: Work,
  stands: string,
): Records {
  return {
    async *records(): AsyncGenerator<RegistryRecord> {
      let read = 0
      for await (const record of file.records()) {
        work.progress?.(read, records)
        if (isStopped(work)) {
          throw new InterruptedError(`stopped after ${read} of ${records} records: ${stands}`)
        }
        yield record
        read++
      }
    },
  }
}
