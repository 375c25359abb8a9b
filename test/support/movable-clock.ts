import { execFileSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { scratchDir } from '../../scripts/services/scratch'

/**
 * Replaces the time calls of redis-server, and adds the seconds in the file $CLOCK_AHEAD. It calls a hundred times a
 * second, so the file is mapped into memory.
 */
const SOURCE = `
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

int gettimeofday(struct timeval *time, void *zone) {
  static volatile long long *ahead;
  struct timespec now;
  if (!ahead) {
    int file = open(getenv("CLOCK_AHEAD"), O_RDONLY);
    ahead = mmap(NULL, sizeof *ahead, PROT_READ, MAP_SHARED, file, 0);
  }
  clock_gettime(CLOCK_REALTIME, &now);
  time->tv_sec = now.tv_sec + *ahead;
  time->tv_usec = now.tv_nsec / 1000;
  return 0;
}
`

/** The reason that there is no {@link MovableClock}; false: it is available. */
export const noMovableClock = hasCompiler() ? false : 'there is no C compiler (cc)'

/** A clock for a server started with `env`; built by a C compiler. */
export class MovableClock {
  private readonly dir = scratchDir('clock')
  private readonly file = path.join(this.dir, 'ahead')
  readonly env: Readonly<Record<string, string>>

  constructor() {
    const [source, library] = [path.join(this.dir, 'clock.c'), path.join(this.dir, 'clock.so')]
    writeFileSync(source, SOURCE)
    execFileSync('cc', ['-shared', '-fPIC', '-o', library, source])
    this.env = { LD_PRELOAD: library, CLOCK_AHEAD: this.file }
    this.set(0)
  }

  /** @param seconds how far it is ahead of the clock of this machine. */
  set(seconds: number): void {
    const octets = Buffer.alloc(8)
    octets.writeBigInt64LE(BigInt(seconds))
    // Written in place, since the file is mapped.
    writeFileSync(this.file, octets, { flag: existsSync(this.file) ? 'r+' : 'w' })
  }
}

function hasCompiler(): boolean {
  try {
    execFileSync('cc', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
