"""What can be wrong with a document that is to be parsed; every message says what to do with the file."""

from medkg_lab.errors import DocumentError


class UnknownFormat(DocumentError):
    """This file is {found}, which the parse stage does not read here. It reads ClinicalTrials.gov API v2 studies, JATS, PubMed,
    BioC and TEI articles and MinerU's output by their content, and text, Markdown and web pages by their names; submit PDF files
    to a PDF pipeline."""


class UnreadableText(DocumentError):
    """This file is marked as Unicode text and is not: {detail}. It may have been cut off; download it again, or save it as
    UTF-8."""


class TooLarge(DocumentError):
    """This document has {size} bytes, more than the {limit} that the parse stage takes. Split it and submit the parts."""


class TooDeep(DocumentError):
    """This document is nested more than {limit} levels deep, which no article or study is. Check where the file comes from."""


class MalformedJson(DocumentError):
    """This file is not valid JSON: {detail} at line {line}, column {column}. It may have been cut off; download it again."""


class NotAStudy(DocumentError):
    """This JSON is not a ClinicalTrials.gov API v2 study: {detail}. Submit one study as the API's /api/v2/studies/NCT... gives
    it."""


class LegacyRegistryJson(DocumentError):
    """This is the answer of ClinicalTrials.gov's old API v1 (FullStudiesResponse), which the registry switched off in 2024.
    Submit the study's id {nct} instead: the lab then fetches it from API v2."""


class LegacyRegistryXml(DocumentError):
    """This is ClinicalTrials.gov's old XML format (clinical_study), which the registry has retired. Submit the study's id {nct}
    instead: the lab then fetches it from API v2."""


class MalformedXml(DocumentError):
    """This XML is not well formed: {detail} (line {line}, column {column}). It may have been cut off; download it again."""


class NotAnArticle(DocumentError):
    """This XML is not an article that the lab reads: {detail}. Submit JATS, PubMed, BioC or TEI XML."""


class OpenAccessRefusal(DocumentError):
    """This file is not an article but PubMed Central's refusal to give one ({code}: {detail}). The article is not in the
    open-access subset; submit its PDF if you have the right to."""


class EmptyDocument(DocumentError):
    """This {what} holds no text: {detail}. There is nothing to index; check that the whole file was downloaded."""


class UnknownPdfIr(DocumentError):
    """This is not a converter's representation of a PDF that the lab reads: {detail}. It reads docvortex.middle 2.0, and MinerU's
    content_list, content_list_v2 and middle JSON; convert the PDF with one of the versions that write these."""
