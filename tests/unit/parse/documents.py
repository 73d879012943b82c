"""Small documents written by hand for the parse tests."""

import json
from typing import Any

STUDY: dict[str, Any] = {
    "protocolSection": {
        "identificationModule": {
            "nctId": "NCT90000042",
            "orgStudyIdInfo": {"id": "ORG-1"},
            "organization": {"fullName": "Invented University", "class": "OTHER"},
            "briefTitle": "Metformin in COPD \\[pilot\\]",
            "officialTitle": "A Trial of Metformin in Chronic Obstructive Pulmonary Disease",
            "acronym": "COPDMET",
        },
        "statusModule": {"overallStatus": "ENROLLING_BY_INVITATION", "startDateStruct": {"date": "2021-03"}},
        "sponsorCollaboratorsModule": {
            "leadSponsor": {"name": "Invented University", "class": "OTHER"},
            "collaborators": [{"name": "Made-Up Fund", "class": "INDUSTRY"}],
        },
        "descriptionModule": {
            "briefSummary": "Does metformin help?\nIt may.\n\nSecond paragraph with p \\< 0.05.",
            "detailedDescription": "Aims:\n\n* first aim,\n  still the first\n* second aim",
        },
        "conditionsModule": {"conditions": ["COPD", "Type 2 Diabetes"], "keywords": ["airflow"]},
        "designModule": {
            "studyType": "INTERVENTIONAL",
            "phases": ["PHASE2", "PHASE3"],
            "designInfo": {
                "allocation": "RANDOMIZED",
                "maskingInfo": {"masking": "DOUBLE", "whoMasked": ["PARTICIPANT"]},
            },
            "enrollmentInfo": {"count": 42, "type": "ACTUAL"},
        },
        "armsInterventionsModule": {
            "armGroups": [
                {
                    "label": "Metformin",
                    "type": "EXPERIMENTAL",
                    "description": "500 mg",
                    "interventionNames": ["Drug: Metformin"],
                }
            ],
            "interventions": [{"type": "DRUG", "name": "Metformin", "otherNames": ["Glucophage"]}],
        },
        "outcomesModule": {
            "primaryOutcomes": [{"measure": "FEV1", "description": "Spirometry.", "timeFrame": "12 weeks"}]
        },
        "eligibilityModule": {
            "eligibilityCriteria": "Inclusion Criteria:\n\n* Age \\>= 18\n\nExclusion Criteria:\n\n1. Pregnancy\n2. Asthma",
            "sex": "ALL",
            "healthyVolunteers": False,
        },
        "contactsLocationsModule": {
            "locations": [
                {"facility": "Harbour Hospital", "city": "Nowhere", "country": "Netherlands", "status": "RECRUITING"}
            ],
            "locations_nested": [{"facility": "not of the interface"}],
        },
        "referencesModule": {
            "references": [{"pmid": "123", "type": "BACKGROUND", "citation": "Someone A. Something. 2020."}]
        },
        "futureModule": {"unknown": ["tolerated"]},
    },
    "resultsSection": {
        "baselineCharacteristicsModule": {
            "groups": [{"id": "BG000", "title": "Metformin", "description": "Those on metformin"}],
            "denoms": [{"units": "Participants", "counts": [{"groupId": "BG000", "value": "21"}]}],
            "measures": [
                {
                    "title": "Age",
                    "paramType": "MEAN",
                    "dispersionType": "STANDARD_DEVIATION",
                    "unitOfMeasure": "years",
                    "classes": [
                        {"categories": [{"measurements": [{"groupId": "BG000", "value": "61.5", "spread": "8.1"}]}]}
                    ],
                }
            ],
        },
        "outcomeMeasuresModule": {
            "outcomeMeasures": [
                {
                    "type": "PRIMARY",
                    "title": "FEV1 at 12 weeks",
                    "timeFrame": "12 weeks",
                    "unitOfMeasure": "litres",
                    "paramType": "MEAN",
                    "groups": [{"id": "OG000", "title": "Metformin", "description": "Those on metformin"}],
                    "denoms": [{"units": "Participants", "counts": [{"groupId": "OG000", "value": "20"}]}],
                    "classes": [
                        {
                            "title": "Week 12",
                            "categories": [
                                {
                                    "measurements": [
                                        {"groupId": "OG000", "value": "1.9", "lowerLimit": "1.5", "upperLimit": "2.3"}
                                    ]
                                }
                            ],
                        }
                    ],
                    "analyses": [{"groupIds": ["OG000"], "pValue": "0.04", "statisticalMethod": "t-test, 2 sided"}],
                }
            ]
        },
        "adverseEventsModule": {
            "timeFrame": "12 weeks",
            "eventGroups": [
                {
                    "id": "EG000",
                    "title": "Metformin",
                    "seriousNumAffected": 1,
                    "seriousNumAtRisk": 21,
                    "deathsNumAffected": 0,
                }
            ],
            "seriousEvents": [
                {
                    "term": "Pneumonia",
                    "organSystem": "Infections",
                    "stats": [{"groupId": "EG000", "numAffected": 1, "numAtRisk": 21}],
                }
            ],
        },
    },
    "derivedSection": {
        "conditionBrowseModule": {
            "meshes": [{"id": "D000003924", "term": "Diabetes Mellitus, Type 2"}, {"term": "No id given"}],
            "ancestors": [{"id": "D000003920", "term": "Diabetes Mellitus"}],
        },
        "interventionBrowseModule": {"meshes": [{"id": "D000008687", "term": "Metformin"}]},
    },
    "hasResults": True,
}


def study_bytes(study: Any = None) -> bytes:
    """The study, or another value, as JSON."""
    return json.dumps(STUDY if study is None else study, ensure_ascii=False).encode()


ARTICLE = """<?xml version="1.0"?>
<!DOCTYPE article PUBLIC "-//NLM//DTD JATS v1.2//EN" "JATS-archivearticle1.dtd">
<article xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:mml="http://www.w3.org/1998/Math/MathML"
  article-type="research-article" xml:lang="en">
<front><journal-meta><journal-title-group><journal-title>J Invent</journal-title></journal-title-group></journal-meta>
<article-meta>
  <article-id pub-id-type="pmid">111</article-id><article-id pub-id-type="pmc">222</article-id>
  <article-id pub-id-type="doi">10.5555/x</article-id>
  <title-group><article-title>CO<sub>2</sub> and the <italic>lung</italic></article-title></title-group>
  <contrib-group><contrib contrib-type="author"><name><surname>Kole</surname><given-names>Ana</given-names></name></contrib>
  <contrib contrib-type="editor"><name><surname>Ed</surname><given-names>I.</given-names></name></contrib></contrib-group>
  <pub-date><year>2021</year></pub-date>
  <permissions><license xlink:href="https://creativecommons.org/licenses/by/4.0/"><license-p>CC BY</license-p></license>
  </permissions>
  <abstract><sec><title>Background</title><p>Why we did it.</p></sec></abstract>
  <kwd-group><kwd>carbon dioxide</kwd></kwd-group>
  <kwd-group kwd-group-type="abbreviations"><kwd>not a subject</kwd></kwd-group>
</article-meta></front>
<body>
 <sec><label>1.</label><title>Methods</title>
  <p>We gave 10<sup>6</sup> cells<sup><xref ref-type="bibr" rid="r1">1</xref></sup> at 5&nbsp;mg in Ca<sup>2+</sup>.
   <disp-formula id="e"><alternatives><mml:math><mml:mfrac><mml:mi>a</mml:mi><mml:mn>2</mml:mn></mml:mfrac></mml:math>
   <tex-math>\\frac{a}{2}</tex-math></alternatives><label>(1)</label></disp-formula>
   where a is <inline-formula><mml:math><mml:msup><mml:mi>x</mml:mi><mml:mn>2</mml:mn></mml:msup></mml:math></inline-formula>.</p>
  <list><list-item><label>a)</label><p>first item</p></list-item><list-item><p>second item</p></list-item></list>
  <fig id="f"><label>Figure 1</label><caption><title>Flow.</title><p>All of it.</p></caption><graphic xlink:href="f.jpg"/></fig>
  <table-wrap><label>Table 1</label><caption><p>Ages</p></caption><table>
   <thead><tr><th rowspan="2">Group</th><th colspan="2">Age</th></tr><tr><th>mean</th><th>SD</th></tr></thead>
   <tbody><tr><td>A</td><td>61</td><td>8<break/>.1</td></tr></tbody></table>
   <table-wrap-foot><fn><p>SD, standard deviation</p></fn></table-wrap-foot></table-wrap>
  <sec><title>Deep</title><unheard-of><p>Kept <never>seen</never> text</p></unheard-of></sec>
 </sec>
</body>
<back><ack><p>Thanks.</p></ack><ref-list><ref id="r1"><label>1</label><element-citation><person-group><name><surname>Roe</surname>
 <given-names>R</given-names></name></person-group><article-title>On air</article-title><year>1999</year></element-citation></ref>
</ref-list></back>
<sub-article article-type="reply"><front-stub><title-group><article-title>Reply</article-title></title-group></front-stub>
 <body><p>We agree.</p></body></sub-article>
</article>
"""
