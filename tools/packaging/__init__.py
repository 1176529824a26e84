"""Generate what the Helm chart and the OLM bundle share with deploy/kustomize, crds/ and the settings.

The manifests of deploy/kustomize are the source: they are written by hand, with the reasons beside each rule.
`make packages` writes the generated files, and `make check` fails if one of them differs.
"""
