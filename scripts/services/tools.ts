import { execFileSync } from 'node:child_process'
import { accessSync, constants, existsSync, rmSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'

/** A program that the tests and the demo need, and its package. */
interface Tool {
  /** Environment variable that names the program; it overrides PATH. */
  variable: string
  /** Its Debian package. */
  debian: string
  /** More packages that it needs. */
  with?: readonly string[]
  /** Answers to questions of its installation, for debconf-set-selections. */
  answers?: string
}

const tools = {
  'redis-server': { variable: 'REDIS_SERVER', debian: 'redis-server' },
  openssl: { variable: 'OPENSSL', debian: 'openssl' },
  postfix: {
    variable: 'POSTFIX',
    debian: 'postfix',
    // SASL PLAIN for its client.
    with: ['libsasl2-modules'],
    // Otherwise it needs the full name of this machine, which may have none.
    answers: 'postfix postfix/main_mailer_type select No configuration',
  },
  opendkim: { variable: 'OPENDKIM', debian: 'opendkim' },
  nginx: { variable: 'NGINX', debian: 'nginx-light' },
  prometheus: { variable: 'PROMETHEUS', debian: 'prometheus' },
  chromium: { variable: 'CHROMIUM', debian: 'chromium' },
  tmux: { variable: 'TMUX_PROGRAM', debian: 'tmux' },
} satisfies Record<string, Tool>

export type ToolName = keyof typeof tools

/**
 * The path of a program: from its environment variable, else from PATH, else installed with
 * apt-get where this process is root on a Debian-like machine.
 *
 * @throws Error that says what to do, in one sentence
 */
export function findTool(name: ToolName): string {
  const tool: Tool = tools[name]
  const { variable, debian } = tool
  const named = process.env[variable]
  if (named) {
    if (isProgram(named)) return named
    throw new Error(`$${variable} is ${named}, which is not a program: correct or unset it.`)
  }
  const found = onPath(name)
  if (found) return found
  const failure = canInstall() ? install(tool) : undefined
  const installed = onPath(name)
  if (installed) return installed
  throw new Error(
    `${name} was not found${failure ? ` and could not be installed (${failure})` : ''}: ` +
      `install it (Debian: apt-get install ${debian}) or set $${variable} to its path.`,
  )
}

function onPath(name: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(path.delimiter).filter(Boolean)
  return folders.map((folder) => path.join(folder, name)).find(isProgram)
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return statSync(file).isFile()
  } catch {
    return false
  }
}

function canInstall(): boolean {
  return process.getuid?.() === 0 && existsSync('/etc/debian_version') && !!onPath('apt-get')
}

/** Installs a Debian package without starting its service. Returns what went wrong. */
function install({ debian, with: others = [], answers }: Tool): string | undefined {
  // invoke-rc.d and deb-systemd-invoke run this program; 101 means "do not start" (Debian Policy 9.3.3).
  const policy = '/usr/sbin/policy-rc.d'
  const ours = !existsSync(policy)
  if (ours) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    aptGet('update')
    if (answers) execFileSync('debconf-set-selections', { input: answers, stdio: 'pipe' })
    aptGet('install', '-y', '--no-install-recommends', debian, ...others)
    return undefined
  } catch (error) {
    const { stderr } = error as { stderr?: Buffer }
    return `apt-get: ${stderr?.toString().trim().split('\n').at(-1) ?? String(error)}`
  } finally {
    if (ours) rmSync(policy, { force: true })
  }
}

function aptGet(...args: string[]): void {
  execFileSync('apt-get', ['-qq', '-o', 'DPkg::Lock::Timeout=300', ...args], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' },
    stdio: 'pipe',
  })
}
