import { Argument, type Command } from 'commander'
import { expectationOf } from '../kit/candidates'
import type { Io } from '../kit/io'
import { manual } from '../kit/manual'
import type * as Tenants from '../kit/tenant-ids'

/**
 * What a shell runs for a completion. Its words go as arguments and its answers are read as lines: a shell evaluates
 * nothing of them. Where nothing is found, files are offered.
 */
const SCRIPTS = {
  bash: `_tenantctl() {
  mapfile -t COMPREPLY < <("$1" completion bash -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2> /dev/null)
}
complete -o default -F _tenantctl tenantctl
`,
  zsh: `#compdef tenantctl
_tenantctl() {
  local -a found
  found=("\${(@f)$("\${words[1]}" completion zsh -- "\${(@)words[2,CURRENT]}" 2> /dev/null)}")
  if [[ -n "\${found[1]}" ]]; then
    compadd -a found
  else
    _files
  fi
}
compdef _tenantctl tenantctl
`,
  fish: `function __tenantctl
  set -l words (commandline -opc)
  set -l program $words[1]
  set -e words[1]
  set -l found (command $program completion fish -- $words (commandline -ct) 2> /dev/null)
  if test (count $found) -gt 0
    printf '%s\\n' $found
  else
    __fish_complete_path (commandline -ct)
  end
end
complete -c tenantctl -f -a '(__tenantctl)'
`,
} as const

/** `tenantctl completion` */
export function add(
  program: Command,
  io: Io,
  _end: (status: number) => void,
  programFor: (argv: readonly string[]) => Command,
): void {
  const command = program
    .command('completion')
    .description(
      'print the script by which a shell completes commands, options and tenants; with words, what they can go on with',
    )
    .addArgument(new Argument('<shell>').choices(Object.keys(SCRIPTS)))
    .argument('[words...]', 'the words behind `tenantctl`, the last one unfinished')
    .action(async (shell: keyof typeof SCRIPTS, words: string[]) => {
      if (words.length === 0) {
        io.stdout.write(SCRIPTS[shell])
        return
      }
      for (const word of await candidates(io, programFor(words), words)) {
        io.stdout.write(`${word}\n`)
      }
    })
  manual(command, {
    examples: [
      'completion bash > /etc/bash_completion.d/tenantctl',
      'completion zsh > /usr/local/share/zsh/site-functions/_tenantctl',
      'completion fish > ~/.config/fish/completions/tenantctl.fish',
      "completion bash -- domain list ''",
    ],
    json: ['the same text'],
  })
}

/** Never throws: a person who is typing wants no error. */
async function candidates(io: Io, program: Command, words: readonly string[]): Promise<string[]> {
  const current = words.at(-1)!
  try {
    const { expected, options } = expectationOf(program, words)
    const all = expected === 'tenant' ? await tenantIds()(io, options) : expected
    return all.filter((word) => word.startsWith(current)).sort()
  } catch {
    return []
  }
}

/** Loaded only where a tenant is to be typed: for a command or an option, no Redis is asked. */
function tenantIds(): typeof Tenants.tenantIds {
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  return (require('../kit/tenant-ids') as typeof Tenants).tenantIds
}
