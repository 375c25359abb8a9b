/** Gives a message the class in its header X-Class, like plugins that decide by the message. */
export const classifier = {
  name: 'classifier',
  source: `
    exports.register = function () {
      this.register_hook('data_post', 'classify', -100)
    }
    exports.classify = function (next, { transaction }) {
      const wanted = transaction.header.get('X-Class').trim()
      const { notes } = transaction
      const found = wanted === 'unknown' ? null : wanted
      if (wanted && notes.unregistered_domain)
        notes.unregistered_domain = { ...notes.unregistered_domain, class: found }
      next()
    }`,
}

/**
 * Keeps all mail in the queue while the file \`closed\` is in the site. Must be before the plugin in config/plugins.
 */
export const gate = {
  name: 'gate',
  source: `
    const { existsSync } = require('node:fs')
    exports.register = function () {
      this.register_hook('send_email', 'wait', -100)
    }
    exports.wait = function (next) {
      if (existsSync(process.env.HARAKA + '/closed')) next(DELAY, 1)
      else next()
    }`,
}
