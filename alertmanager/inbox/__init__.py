"""THE INBOX: a Slack webhook and a mail server that show what arrived, for demo and tests. Delivers to nobody."""
