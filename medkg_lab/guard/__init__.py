"""Who is let in from outside, and with which rights: bearer tokens in the form of JSON Web Tokens."""
