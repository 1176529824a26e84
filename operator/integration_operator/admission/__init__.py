"""The admission server: it warns users, when they apply an Integration, of what they would have to change.

It rejects nothing: what can never work, the schema and the rules of the CRD reject without a server
(docs/decisions/0015-admission.md). The warnings are the conditions that the Integration would have. They come from the
cache, so that each replica answers, whether it leads or not, and no request is made.

The ValidatingWebhookConfiguration is a manifest; the operator writes into it only what no manifest can contain.
"""
