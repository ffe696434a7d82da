"""The portal's web pages: enrolment, people's own tokens, the helpdesk. Only here are Flask and WebAuthn."""
