import { Command, InvalidArgumentError } from 'commander'

/** What the command line asks for. */
export interface Options {
  readonly minutes: number
  readonly seed: number
  /** Also into the documentation. */
  readonly publish: boolean
}

const DEFAULT_MINUTES = 2

/** Reads the command line; for `--help` and for a mistake it writes and ends the process. */
export function readOptions(argv: readonly string[]): Options {
  const program = new Command('npm run soak --')
  program
    .description(
      'Loads a Haraka with the plugin and one without as much as two cores can, for long, and says what that brings, ' +
        'and whether memory grows. It starts all that it needs and uses no network. Table, numbers and pictures also ' +
        'go to bench/results/soak/. Its status is 1 where anything failed, or a target was missed.',
    )
    .argument('[minutes]', 'how long it measures', wholeNumber, DEFAULT_MINUTES)
    .option('--seed <number>', 'what is sent when', wholeNumber, 1)
    .option('--publish', 'also writes docs/performance/soak/', false)
    .parse(argv, { from: 'user' })
  const [minutes] = program.processedArgs as [number]
  return { minutes, ...program.opts<Omit<Options, 'minutes'>>() }
}

function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('a whole number from 1 on')
  return Number(text)
}
