import type { Config } from '../../process/config'
import { pluginNames } from '../../config/haraka-checks'
import { iniBoolean, type HarakaFiles } from '../../config/haraka-files'
import { fail, ok, warn, type Line } from './line'

const OURS = 'unregistered-domain'
const PROXY = 'queue/smtp_proxy'

/** The plugin in `config/plugins`: its presence, its place, and the plugins it needs. */
export function checkPlugins(files: HarakaFiles, config: Config): Line[] {
  const plugins = pluginNames(files)
  if (plugins.length === 0) {
    return [
      fail(
        'plugins',
        'there is no config/plugins: Haraka loads nothing',
        "name Haraka's config directory with --config DIR",
      ),
    ]
  }
  const place = plugins.indexOf(OURS)
  if (place === -1) {
    return [
      fail(
        'plugins',
        `config/plugins does not name ${OURS}: nothing is metered`,
        `add a line ${OURS}${plugins.includes(PROXY) ? ` before ${PROXY}` : ''}, and restart Haraka`,
      ),
    ]
  }
  return [
    ok('plugins', `config/plugins names ${OURS}`),
    ...doubled(plugins),
    ...order(plugins, place),
    ...overriders(plugins),
    ...acceptors(plugins, place, files),
    ...adders(plugins, files),
    ...relaying(plugins, files, config),
    ...badPlugins(files),
  ]
}

/** Haraka loads it once for each line, and runs all hooks of both (`plugins.js`, `load_plugins`). */
function doubled(plugins: readonly string[]): Line[] {
  if (plugins.filter((plugin) => plugin === OURS).length === 1) return []
  return [
    fail(
      'plugins',
      `config/plugins names ${OURS} more than once: every hook runs more than once`,
      'keep one of the lines, with or without haraka-plugin- in front, and restart Haraka',
    ),
  ]
}

/**
 * Hooks run by priority, and hooks of equal priority in the order of config/plugins. Our hooks at RCPT and rcpt_ok
 * have -50, all of Haraka's own 0; our hook at MAIL has 0. AUTH and STARTTLS are commands that come before MAIL.
 */
function order(plugins: readonly string[], place: number): Line[] {
  const proxy = plugins.indexOf(PROXY)
  if (proxy !== -1 && proxy < place) {
    return [
      warn(
        'order',
        `${PROXY} comes before ${OURS}: it opens a session to its backend before a restricted tenant is refused at MAIL`,
        `move the line ${OURS} before ${PROXY}, and restart Haraka`,
      ),
    ]
  }
  const beside = plugins.filter(
    (plugin) =>
      plugin === PROXY || plugin === 'tls' || plugin === 'relay' || /^(auth|rcpt_to)/.test(plugin),
  )
  const named = beside.length > 0 ? ` (${beside.join(', ')})` : ''
  return [
    ok(
      'order',
      `its place among AUTH, tls, relay, rcpt and queue plugins${named} is right: at RCPT it comes first by priority`,
    ),
  ]
}

/** The priority of our rcpt and rcpt_ok. */
const OUR_PRIORITY = -50

/**
 * Where one of these answers OK, our hook is not called. Only its code shows whether it does, so doctor checks its
 * place.
 */
function acceptors(plugins: readonly string[], place: number, files: HarakaFiles): Line[] {
  const before = plugins.filter((plugin, at) =>
    prioritiesAtRcptOk(files.source(plugin)).some(
      (priority) => priority < OUR_PRIORITY || (priority === OUR_PRIORITY && at < place),
    ),
  )
  if (before.length === 0) return []
  return [
    warn(
      'recipients',
      `${before.join(', ')} comes before ${OURS} at rcpt or rcpt_ok: recipients that it accepts there with OK are counted only when Haraka has accepted their message, even past the limit`,
      `register its hook with a priority above ${OUR_PRIORITY}, and restart Haraka`,
    ),
  ]
}

function prioritiesAtRcptOk(source: string): number[] {
  const hooks = source.matchAll(/register_hook\(\s*['"]rcpt(?:_ok)?['"]\s*,[^,)]*,\s*(-?\d+)/g)
  return [...hooks].map(([, priority]) => Number(priority))
}

function adders(plugins: readonly string[], files: HarakaFiles): Line[] {
  const adding = plugins.filter(
    (plugin) =>
      plugin === 'aliases' ||
      /rcpt_to\s*(?:\.(?:push|unshift|splice)\b|=[^=])/.test(files.source(plugin)),
  )
  if (adding.length === 0) return []
  return [
    ok(
      'recipients',
      `${adding.join(', ')} may add recipients: each of them counts; those added after rcpt_ok only when Haraka has accepted the message, even past the limit`,
    ),
  ]
}

/**
 * Plugins that turn refusals into acceptance. Our refusals stay: our deny hook runs first (`plugins.js`,
 * `get_denyfn`).
 */
function overriders(plugins: readonly string[]): Line[] {
  const present = ['delay_deny', 'karma'].filter((plugin) => plugins.includes(plugin))
  if (present.length === 0) return []
  return [
    ok('deny', `${present.join(' and ')} cannot turn a refusal of this plugin into acceptance`),
  ]
}

function relaying(plugins: readonly string[], files: HarakaFiles, config: Config): Line[] {
  const relay = plugins.some((plugin) => plugin === 'relay' || plugin.startsWith('relay_'))
  if (relay && iniBoolean(files.ini('relay.ini')['relay'], 'all', false)) {
    return [
      warn(
        'relaying',
        'relay.ini [relay] all=true lets every session relay, tenant or not',
        'set all=false in [relay] of relay.ini, or unknown=deny in [attribution] of unregistered-domain.ini',
      ),
    ]
  }
  if (relay || config.attribution.grantRelay || plugins.some(isAuthPlugin)) {
    return [ok('relaying', 'sessions can be allowed to relay')]
  }
  return [
    warn(
      'relaying',
      'no known AUTH plugin, no relay plugin, and grant_relay=false: only mail of sessions that may relay is metered',
      'add an AUTH plugin or relay to config/plugins, or set grant_relay=true in [attribution] of unregistered-domain.ini, unless a plugin of your own lets sessions relay',
    ),
  ]
}

/** Judged by its name: only the code of a plugin shows whether it offers AUTH. */
export function isAuthPlugin(plugin: string): boolean {
  return /^auth[/_-]|^(ldap|dovecot)$/.test(plugin)
}

/** Haraka `plugins.js`, `_compile`: with it Haraka leaves out a plugin that does not load. */
function badPlugins(files: HarakaFiles): Line[] {
  if (!files.ini('smtp.ini')['main']?.['ignore_bad_plugins']) return []
  return [
    warn(
      'ignore_bad_plugins',
      'smtp.ini has ignore_bad_plugins: if this plugin ever fails to load, Haraka runs without it and meters nothing',
      'set ignore_bad_plugins=0 in smtp.ini',
    ),
  ]
}
