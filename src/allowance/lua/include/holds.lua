-- Recipients of messages that may be forwards are held from RCPT until the message is there. Holds have a ring of their
-- own in the usage: they count for no limit, those of a killed worker expire, and a lift removes them with the rest.
local HOLDS_WINDOW = 600000
local HOLDS_FIELD = 'h600000'
-- Recipients of a tenant that may be held at once.
local MOST_HOLDS = 200
