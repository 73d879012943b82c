"""Ask the lab from a Haystack pipeline: passages are found and put into a prompt, with their sources. No model is called.

python examples/ask_with_haystack.py "Is apixaban safe in dialysis?"
"""

import sys

from medkg_lab import Lab
from medkg_lab.haystack import LabDocumentStore, LabRetriever

# After medkg_lab, which has Haystack report its use to nobody.
from haystack import Pipeline  # isort: skip
from haystack.components.builders import PromptBuilder  # isort: skip

TEMPLATE = """Answer from these passages alone and name the document of each claim.
{% for one in documents %}
[{{ one.meta.doc_id }}] {{ one.meta.title }}
{{ one.content }}
{% endfor %}
Question: {{ query }}"""


def make_pipeline(home: str | None = None) -> Pipeline:
    """A retriever and a prompt; add a generator behind `prompt` to have it answered."""
    pipeline = Pipeline()
    pipeline.add_component("retriever", LabRetriever(LabDocumentStore(home), top_k=3))
    pipeline.add_component("prompt", PromptBuilder(TEMPLATE, required_variables=["documents", "query"]))
    pipeline.connect("retriever.documents", "prompt.documents")
    return pipeline


def main(question: str) -> None:
    """Print the prompt for a question."""
    Lab().up()
    found = make_pipeline().run({"retriever": {"query": question}, "prompt": {"query": question}})
    print(found["prompt"]["prompt"])


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "Is apixaban safe in patients on dialysis?")
