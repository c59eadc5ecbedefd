"""THE LOAD GENERATOR: sends completions at a rate that does not wait for answers, and reports how they went.

Open loop: a slow service gets no fewer requests, as real users would not wait for each other. Works against every
service with OpenAI's streaming completions and knows nothing of ours.
"""
